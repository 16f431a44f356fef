// Attention of one pack, in tiles of rows that meet the keys on their paths (attention_tiles.h):
// one by one on the CPU (tile_attention.h), many at once elsewhere (batched_attention.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <variant>

#include "probes/device/factory.h"
#include "probes/model/attention_rule.h"
#include "probes/model/batched_attention.h"
#include "probes/model/forward_plan.h"
#include "probes/model/tile_attention.h"

namespace couplingd {

enum class AttentionKernel {
  kTiles,    // tiles that fit a CPU's cache
  kBatches,  // few and large operations; any device
};

// The default kernel of a device.
AttentionKernel AttentionKernelFor(at::Device device);

// The tiles of one pack with their masks on the device, made once and used by every layer.
class PackAttention {
 public:
  // The plan and the factory outlive it.
  PackAttention(const ForwardPlan& plan, std::size_t pack, const TensorFactory& factory,
                AttentionKernel kernel);
  PackAttention(const PackAttention&) = delete;
  PackAttention& operator=(const PackAttention&) = delete;

  // query [rows, heads, head_dim], keys and values [rows, kv_heads, head_dim]; the last dimension
  // is contiguous. Query head h uses key head h / (heads / kv_heads). `kept`: of earlier packs'
  // segments. Gives [rows, heads · head_dim] in the query's dtype. The softmax is in fp32.
  at::Tensor Attend(const at::Tensor& query, const KeysValues& own,
                    const std::map<std::int32_t, KeysValues>& kept,
                    const AttentionRule& rule) const;

 private:
  const PackPositions positions_;
  std::variant<TileAttention, BatchedAttention> kernel_;
};

}  // namespace couplingd
