#include "probes/model/layer.h"

#include <ATen/TensorOperators.h>

#include "probes/model/layer_operations.h"
#include "probes/model/row_tiles.h"

namespace couplingd {
namespace {

AttentionRule RuleOf(const LayerContext& context, std::size_t index) {
  const ModelConfig& config = context.config;
  AttentionRule rule;
  rule.scale = config.attention_scale;
  if (config.scale_attention_by_layer) rule.scale /= static_cast<double>(index + 1);
  rule.softcap = config.attention_softcap;
  rule.key_bias = context.key_bias;
  rule.window = config.layer[index].window;
  return rule;
}

// heads [rows, heads · head_dim], in place.
void NormaliseHeads(const ModelConfig& config, const Norm& norm, std::int64_t head_dim,
                    const at::Tensor& heads) {
  if (!norm.exists) return;
  const at::Tensor parts =
      config.qk_norm == QkNorm::kWhole ? heads : heads.unflatten(1, {-1, head_dim});
  parts.copy_(Normalise(config, norm, parts));
}

// Queries, keys and values of a tile of rows, normalised and turned, into fused [rows, heads + 2 ·
// kv_heads, head_dim], or [rows, heads, head_dim] where the layer has no keys. x [rows, hidden] is
// what the attention reads.
void ProjectHeads(const LayerContext& context, const LayerWeights& weights, std::size_t index,
                  const at::Tensor& x, std::int64_t first_row, const at::Tensor& fused) {
  const ModelConfig& config = context.config;
  const LayerConfig& layer = config.layer[index];
  const std::int64_t queries = config.heads * layer.head_dim, keys = layer.KeyRows();
  const at::Tensor flat = fused.flatten(1);
  const bool values_are_keys = layer.values_are_keys && keys > 0;
  const at::Tensor projected = flat.narrow(1, 0, flat.size(1) - (values_are_keys ? keys : 0));
  ProjectInto(weights.qkv, x, projected);
  if (values_are_keys) flat.narrow(1, queries + keys, keys).copy_(flat.narrow(1, queries, keys));
  if (config.clip_qkv > 0) flat.clamp_(-config.clip_qkv, config.clip_qkv);
  NormaliseHeads(config, weights.query_norm, layer.head_dim, flat.narrow(1, 0, queries));
  if (keys > 0) {
    NormaliseHeads(config, weights.key_norm, layer.head_dim, flat.narrow(1, queries, keys));
  }
  if (config.value_norm && keys > 0) {
    static const Norm kNoWeight = {.exists = true, .weight = {}, .bias = {}};
    NormaliseHeads(config, kNoWeight, layer.head_dim, flat.narrow(1, queries + keys, keys));
  }
  if (config.rotary == Rotary::kNone) return;
  Rotate(config.rotary, fused.narrow(1, 0, config.heads + keys / layer.head_dim),
         context.angles[layer.rope].Rows(first_row, x.size(0)));
}

// What the attention reads of x.
at::Tensor AttentionInput(const ModelConfig& config, const LayerWeights& weights,
                          const at::Tensor& x) {
  return config.residual == Residual::kAfter ? x : Normalise(config, weights.first_norm, x);
}

// Attention's output, from what the heads give, and the MLP for a tile of rows, in place on x.
void AddParts(const LayerContext& context, const LayerWeights& weights, const at::Tensor& of_heads,
              at::Tensor x) {
  const ModelConfig& config = context.config;
  const Norm& attention_norm = weights.attention_output_norm;
  const auto normalise = [&](const Norm& norm, const at::Tensor& of) {
    return Normalise(config, norm, of);
  };
  const auto mlp = [&](const at::Tensor& read) {
    return Mlp(config, weights, context.factory, x, read);
  };
  const auto attended = [&] {
    return normalise(attention_norm, Project(weights.output, of_heads));
  };
  switch (config.residual) {
    case Residual::kSequential:
      AddProjected(config, weights.output, attention_norm, of_heads, x);
      AddMlp(config, weights, context.factory, normalise(weights.second_norm, x), x);
      break;
    case Residual::kParallel: {
      const Norm& norm = weights.second_norm.exists ? weights.second_norm : weights.first_norm;
      const at::Tensor wide = mlp(normalise(norm, x));
      x.add_(attended()).add_(wide);
      break;
    }
    case Residual::kAfter: {
      const at::Tensor middle = normalise(weights.first_norm, x + attended());
      x.copy_(normalise(weights.second_norm, middle + mlp(middle)));
      break;
    }
    case Residual::kOfNorms: {
      const at::Tensor middle =
          normalise(weights.second_norm, normalise(weights.first_norm, x) + attended());
      x.copy_(middle + mlp(middle));
      break;
    }
  }
}

}  // namespace

KeysValues RunLayer(const LayerContext& context, const LayerWeights& weights, std::size_t index,
                    const LayerMemory& memory, const at::Tensor& wanted, at::Tensor& x) {
  const ModelConfig& config = context.config;
  const LayerConfig& layer = config.layer[index];
  const at::Device device = context.factory.device();
  const std::int64_t heads = config.heads;
  const std::int64_t kv_heads = memory.shared == nullptr ? layer.kv_heads : 0;
  const at::Tensor fused = context.factory.Empty({x.size(0), heads + 2 * kv_heads, layer.head_dim});
  ForEachTile(device, x.size(0), [&](std::int64_t begin, std::int64_t count) {
    const at::Tensor read = AttentionInput(config, weights, x.narrow(0, begin, count));
    ProjectHeads(context, weights, index, read, begin, fused.narrow(0, begin, count));
  });
  const KeysValues own = memory.shared != nullptr
                             ? *memory.shared
                             : KeysValues{fused.narrow(1, heads, kv_heads),
                                          fused.narrow(1, heads + kv_heads, kv_heads)};
  at::Tensor of_heads =
      context.attention.Attend(fused.narrow(1, 0, heads), own, memory.kept, RuleOf(context, index));
  if (context.hook != nullptr) {
    context.hook->OnHeads(static_cast<std::int64_t>(index) + 1, of_heads);
  }
  at::Tensor inputs_of_layer =
      context.layer_inputs.defined()
          ? context.layer_inputs.select(1, static_cast<std::int64_t>(index))
          : at::Tensor();
  if (wanted.defined()) {
    for (at::Tensor* of_rows : {&x, &of_heads, &inputs_of_layer}) {
      if (of_rows->defined()) *of_rows = of_rows->index_select(0, wanted);
    }
  }
  ForEachTile(device, x.size(0), [&](std::int64_t begin, std::int64_t count) {
    at::Tensor tile = x.narrow(0, begin, count);
    AddParts(context, weights, of_heads.narrow(0, begin, count), tile);
    if (inputs_of_layer.defined()) {
      tile.add_(LayerInput(config, weights, inputs_of_layer.narrow(0, begin, count), tile));
    }
    if (weights.scale.defined()) tile.mul_(weights.scale);
  });
  return own;
}

}  // namespace couplingd
