// Attention of one pack, tile by tile (attention_tiles.h): matrix products and one softmax over all
// keys that a tile sees.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <vector>

#include "probes/device/factory.h"
#include "probes/model/attention_tiles.h"

namespace couplingd {

struct KeysValues {
  at::Tensor keys;    // [tokens, kv_heads, head_dim]
  at::Tensor values;  // likewise
};

// Tiles with their masks, made once and used by every layer. Tiles run side by side (row_tiles.h).
class TileAttention {
 public:
  TileAttention(std::vector<AttentionTile> tiles, const TensorFactory& factory);

  // As PackAttention::Attend.
  at::Tensor Attend(const at::Tensor& query, const KeysValues& own,
                    const std::map<std::int32_t, KeysValues>& kept, double scale) const;

 private:
  // query [rows of the tile, kv_heads, group, head_dim] into output of the same shape.
  void AttendTile(std::size_t tile, const at::Tensor& query, const KeysValues& own,
                  const std::map<std::int32_t, KeysValues>& kept, double scale,
                  at::Tensor output) const;

  const std::vector<AttentionTile> tiles_;
  const TensorFactory& factory_;
  std::vector<at::Tensor> masks_;  // 0 or −∞, [rows, key_count − open]; undefined where that is 0
};

}  // namespace couplingd
