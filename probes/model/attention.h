// Attention of one pack: in tiles on the CPU (tile_attention.h), block by block elsewhere
// (attention_blocks.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <vector>

#include "probes/device/factory.h"
#include "probes/model/attention_blocks.h"
#include "probes/model/attention_rule.h"
#include "probes/model/forward_plan.h"
#include "probes/model/tile_attention.h"

namespace couplingd {

enum class AttentionKernel {
  kTiles,  // tiles that fit a CPU's cache
  kPlain,  // large blocks; any device
};

// The default kernel of a device.
AttentionKernel AttentionKernelFor(at::Device device);

// The tiles or blocks of one pack with their masks on the device, made once and used by every
// layer.
class PackAttention {
 public:
  // The plan and the factory outlive it.
  PackAttention(const ForwardPlan& plan, std::size_t pack, const TensorFactory& factory,
                AttentionKernel kernel);

  // query [rows, heads, head_dim], keys and values [rows, kv_heads, head_dim]; the last dimension
  // is contiguous. Query head h uses key head h / (heads / kv_heads). `kept`: what the ancestor
  // blocks name. Gives [rows, heads · head_dim] in the query's dtype. The softmax is in fp32.
  at::Tensor Attend(const at::Tensor& query, const KeysValues& own,
                    const std::map<std::int32_t, KeysValues>& kept,
                    const AttentionRule& rule) const;

 private:
  // Normalised over the block's keys alone, with the log of the normaliser.
  struct Partial {
    at::Tensor output;       // [rows, kv_heads, group, head_dim]
    at::Tensor log_sum_exp;  // [rows, kv_heads, group], fp32
  };

  // What a block's queries may see of its keys: causal, or through a mask, or all.
  struct Sight {
    bool causal = false;
    at::Tensor mask;               // [queries, keys]; may lack
    std::int64_t first_query = 0;  // row of the pack
    at::Tensor key_positions;
  };

  Partial Plain(const at::Tensor& query, const at::Tensor& keys, const at::Tensor& values,
                const Sight& sight, const AttentionRule& rule) const;
  at::Tensor Future(std::int64_t first_query, std::int64_t queries, std::int64_t keys) const;

  const ForwardPlan& plan_;
  const TensorFactory& factory_;
  const PackPositions positions_;
  std::optional<TileAttention> tiles_;
  AttentionBlocks blocks_;         // where there are no tiles
  std::vector<at::Tensor> masks_;  // of the self blocks: 0 or −∞; undefined where causal
};

}  // namespace couplingd
