// Attention of one pack, tile by tile (attention_tiles.h): matrix products and one softmax over all
// keys that a tile sees.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <vector>

#include "probes/device/factory.h"
#include "probes/model/attention_rule.h"
#include "probes/model/attention_tiles.h"
#include "probes/model/tile_sizes.h"

namespace couplingd {

struct KeysValues {
  at::Tensor keys;    // [tokens, kv_heads, head_dim]
  at::Tensor values;  // likewise
};

// Tiles with their masks, made once and used by every layer. Tiles run side by side (row_tiles.h).
class TileAttention {
 public:
  // The plan, the positions and the factory outlive it.
  TileAttention(const ForwardPlan& plan, std::vector<AttentionTile> tiles,
                const PackPositions& positions, const TensorFactory& factory);

  // As PackAttention::Attend.
  at::Tensor Attend(const at::Tensor& query, const KeysValues& own,
                    const std::map<std::int32_t, KeysValues>& kept,
                    const AttentionRule& rule) const;

 private:
  // query [rows of the tile, kv_heads, group, head_dim] into output of the same shape.
  void AttendTile(std::size_t tile, const at::Tensor& query, const KeysValues& own,
                  const std::map<std::int32_t, KeysValues>& kept, const AttentionRule& rule,
                  at::Tensor output) const;
  // Of the keys that a tile sees, int64 [key_count].
  at::Tensor KeyPositions(const AttentionTile& tile) const;

  const ForwardPlan& plan_;

  const std::vector<AttentionTile> tiles_;
  const PackPositions& positions_;
  const TensorFactory& factory_;
  std::vector<at::Tensor> masks_;  // 0 or −∞, [rows, key_count − open]; undefined where that is 0
};

}  // namespace couplingd
