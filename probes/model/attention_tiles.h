// How the attention of one pack is cut into tiles of rows that each meet all keys they see at once:
// what the whole tile sees comes first and needs no mask, then what only some of its rows see.
// Rows of a tile lie side by side in the trie, so that their paths are nearly the same.
#pragma once

#include <cstdint>
#include <vector>

#include "probes/model/forward_plan.h"

namespace couplingd {

// Consecutive keys: rows [begin, end) of the pack where kept_segment is −1; otherwise all keys of a
// segment that was forwarded in an earlier pack and kept.
struct KeyRange {
  std::int64_t begin = 0, end = 0;
  std::int32_t kept_segment = -1;
  std::int64_t size() const { return end - begin; }
};

struct AttentionTile {
  std::int64_t begin = 0, end = 0;  // rows of the pack
  std::vector<KeyRange> keys;       // in the order of the trie, each once
  std::int64_t key_count = 0;       // over all ranges
  std::int64_t open = 0;            // the first so many keys are seen by every row
  // Row begin + r sees key open + c where visible[r · (key_count − open) + c].
  std::vector<bool> visible;
};

// Tiles of `tile_rows` rows, the last one smaller; they cover the pack's rows once.
std::vector<AttentionTile> MakeAttentionTiles(const ForwardPlan& plan, std::size_t pack,
                                              std::int64_t tile_rows);

}  // namespace couplingd
