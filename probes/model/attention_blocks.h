// How the attention of one pack is cut into blocks, so that no mask over the whole pack exists:
// shared prefixes meet all their descendants in one unmasked block, and what is left are small
// blocks near the diagonal. The blocks of one query row see every token on its path exactly once;
// their results are joined through their log-sum-exp.
#pragma once

#include <cstdint>
#include <vector>

#include "probes/model/forward_plan.h"

namespace couplingd {

// Rows [begin, end) of the pack attend to themselves.
struct SelfBlock {
  std::int64_t begin = 0, end = 0;
  // Row r sees column c where visible[r · (end − begin) + c]. Empty: everything up to itself.
  std::vector<bool> visible;
};

// Rows [begin, end) of the pack attend to all of an ancestor's keys.
struct AncestorBlock {
  std::int64_t begin = 0, end = 0;
  // The ancestor, where it was forwarded in an earlier pack and its keys were kept; −1 where the
  // keys are rows [key_begin, key_end) of this pack.
  std::int32_t kept_segment = -1;
  std::int64_t key_begin = 0, key_end = 0;
};

struct AttentionBlocks {
  std::vector<SelfBlock> self;  // cover every row once
  std::vector<AncestorBlock> ancestors;
};

// Small neighbouring segments share a masked block of at most `cluster_rows` rows; a longer segment
// has a causal block of its own.
AttentionBlocks MakeAttentionBlocks(const ForwardPlan& plan, std::size_t pack,
                                    std::int64_t cluster_rows);

}  // namespace couplingd
