// Attention of one pack on a device that wants few and large operations: tiles of similar size
// (attention_tiles.h) are gathered into batches, each a pair of batched matrix products and one
// softmax over all keys that its tiles see. In half precision on a GPU, where the rule is no more
// than a scale, libtorch's memory-efficient attention is all of these in one.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "probes/device/factory.h"
#include "probes/model/attention_rule.h"
#include "probes/model/attention_tiles.h"
#include "probes/model/tile_attention.h"

namespace couplingd {

class BatchedAttention {
 public:
  // The positions and the factory outlive it.
  BatchedAttention(const ForwardPlan& plan, const std::vector<AttentionTile>& tiles,
                   const PackPositions& positions, const TensorFactory& factory);

  // As PackAttention::Attend.
  at::Tensor Attend(const at::Tensor& query, const KeysValues& own,
                    const std::map<std::int32_t, KeysValues>& kept,
                    const AttentionRule& rule) const;

 private:
  // Tiles filled up to `rows` rows and `keys` keys.
  struct Batch {
    std::int64_t tiles = 0, rows = 0, keys = 0;
    at::Tensor from_rows;  // int64 [tiles · rows]: rows of the pack
    at::Tensor to_rows;    // likewise; what only fills up goes to the row after the last
    at::Tensor key_rows;   // int64 [tiles · keys]: of the pack's keys with those of kept_ behind
    at::Tensor hidden;     // bool [tiles, 1, rows, keys]
    at::Tensor bias;       // likewise, 0 or −∞, in half precision on a GPU
  };

  // Keys or values, [rows of the pack and of kept_, kv_heads, head_dim].
  using Part = at::Tensor KeysValues::*;
  at::Tensor WithKept(Part part, const KeysValues& own,
                      const std::map<std::int32_t, KeysValues>& kept) const;

  Batch MakeBatch(std::span<const AttentionTile* const> tiles,
                  const std::map<std::int32_t, std::int64_t>& first_of) const;
  bool CanFuse(const at::Tensor& query, const AttentionRule& rule) const;
  // query [rows of the pack, kv_heads, group, head_dim], keys and values [all rows, kv_heads,
  // head_dim]. Gives [tiles · rows, kv_heads, group, head_dim].
  at::Tensor AttendFused(const Batch& batch, const at::Tensor& query, const at::Tensor& keys,
                         const at::Tensor& values, double scale) const;
  // query [heads, group, rows of the pack, head_dim], keys and values [heads, all rows, head_dim].
  // Gives [tiles · rows, heads, group, head_dim].
  at::Tensor AttendHeads(const Batch& batch, const at::Tensor& query, const at::Tensor& keys,
                         const at::Tensor& values, const AttentionRule& rule) const;

  const PackPositions& positions_;
  const TensorFactory& factory_;
  std::vector<std::int32_t> kept_;  // segments of earlier packs that tiles attend to
  at::Tensor all_positions_;        // of the pack's rows and of kept_'s
  std::vector<Batch> batches_;
};

}  // namespace couplingd
