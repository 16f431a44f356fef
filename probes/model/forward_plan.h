// What a decoder is asked to run: a prefix trie of token sequences, cut into packs. Each token of
// the trie is forwarded once; a token attends to the tokens before it on its own path from the
// root.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace couplingd {

using TokenId = std::int32_t;

// A run of tokens without a branch inside. Segments lie in depth-first order: a parent before its
// children, a sub-trie without a gap.
struct Segment {
  std::int64_t begin = 0;  // into ForwardPlan::tokens
  std::int64_t end = 0;
  std::int32_t parent = -1;    // segment that this one continues; −1 at the root
  std::int32_t position = 0;   // of its first token in the sequence
  std::int32_t last_pack = 0;  // last pack whose tokens attend to this segment
};

// One log-probability to take: of `target`, given the path that ends with the token at `row`.
struct TokenRead {
  std::int64_t row = 0;  // into ForwardPlan::tokens
  TokenId target = 0;
  auto operator<=>(const TokenRead&) const = default;
};

// Consecutive segments that go through the model together.
struct ForwardPack {
  std::int32_t segment_begin = 0, segment_end = 0;
  std::int64_t token_begin = 0, token_end = 0;
  std::int64_t read_begin = 0, read_end = 0;
  std::int64_t rows() const { return token_end - token_begin; }
};

struct ForwardPlan {
  std::vector<TokenId> tokens;  // of all segments, in their order
  std::vector<Segment> segments;
  std::vector<ForwardPack> packs;
  std::vector<TokenRead> reads;  // unique, in ascending order
};

// Position of each row of the pack in its sequence.
std::vector<std::int64_t> RowPositions(const ForwardPlan& plan, const ForwardPack& pack);

// Of each row of the pack: tokens of the longest sequence of the plan that it belongs to.
std::vector<std::int64_t> RowLengths(const ForwardPlan& plan, const ForwardPack& pack);

// A text of which the first `known` < text.size() tokens were forwarded before and stay kept: the
// last pack holds the rest as one segment, which stays kept too. Nothing is read.
ForwardPlan GrowingText(std::span<const TokenId> text, std::size_t known);

}  // namespace couplingd
