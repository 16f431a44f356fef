#include <fmt/format.h>

#include "probes/model/config.h"

namespace couplingd {
namespace {

std::string ForLayer(std::string_view stem, std::int64_t layer) {
  const std::size_t at = stem.find("{}");
  if (at == std::string_view::npos) return std::string(stem);
  return fmt::format("{}{}{}", stem.substr(0, at), layer, stem.substr(at + 2));
}

void StripAll(std::string& name, std::string_view wrapper) {
  for (std::size_t at = name.find(wrapper); at != std::string::npos; at = name.find(wrapper, at)) {
    if (at == 0 || name[at - 1] == '.') {
      name.erase(at, wrapper.size());
    } else {
      ++at;
    }
  }
}

void ReplaceSuffix(std::string& name, std::string_view from, std::string_view to) {
  if (name.ends_with(from)) name.replace(name.size() - from.size(), from.size(), to);
}

}  // namespace

std::vector<ExpectedTensor> ExpectedTensors(const ModelConfig& config) {
  const TensorNames& names = config.names;
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t queries = config.heads * config.head_dim;
  const std::int64_t keys = config.kv_heads * config.head_dim;
  std::vector<ExpectedTensor> tensors;

  const auto weight = [&](TensorRole role, std::string_view stem, std::int64_t layer,
                          std::vector<std::int64_t> shape) {
    tensors.push_back({fmt::format("{}{}.weight", names.prefix, ForLayer(stem, layer)),
                       std::move(shape), role, layer});
  };
  const auto bias = [&](TensorRole role, std::string_view stem, std::int64_t layer,
                        std::int64_t size) {
    tensors.push_back(
        {fmt::format("{}{}.bias", names.prefix, ForLayer(stem, layer)), {size}, role, layer, true});
  };
  const auto norm = [&](TensorRole role, std::string_view stem, std::int64_t layer) {
    weight(role, stem, layer, {hidden});
    if (config.norm == NormKind::kLayerNorm) bias(role, stem, layer, hidden);
  };
  const auto projection = [&](TensorRole role, std::string_view stem, std::int64_t layer,
                              std::int64_t out, std::int64_t in, bool has_bias) {
    if (config.transposed_projections) {
      weight(role, stem, layer, {in, out});
    } else {
      weight(role, stem, layer, {out, in});
    }
    if (has_bias) bias(role, stem, layer, out);
  };

  using enum TensorRole;
  const std::int64_t wide = config.intermediate_size;
  weight(kEmbedding, names.embedding, 0, {config.vocab_size, hidden});
  if (!names.positions.empty()) {
    weight(kPositions, names.positions, 0, {config.max_positions, hidden});
  }
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    norm(kFirstNorm, names.first_norm, layer);
    if (config.qkv_layout == QkvLayout::kSeparate) {
      projection(kQuery, names.query, layer, queries, hidden, config.qkv_bias);
      projection(kKey, names.key, layer, keys, hidden, config.qkv_bias);
      projection(kValue, names.value, layer, keys, hidden, config.qkv_bias);
    } else {
      projection(kFusedQkv, names.fused_qkv, layer, queries + 2 * keys, hidden, config.qkv_bias);
    }
    projection(kAttentionOutput, names.attention_output, layer, hidden, queries,
               config.attention_output_bias);
    norm(kSecondNorm, names.second_norm, layer);
    if (config.gated_mlp) {
      projection(kGate, names.gate, layer, wide, hidden, config.mlp_bias);
    }
    projection(kUp, names.up, layer, wide, hidden, config.mlp_bias);
    projection(kDown, names.down, layer, hidden, wide, config.mlp_bias);
  }
  norm(kFinalNorm, names.final_norm, 0);
  if (!config.tie_embeddings) {
    tensors.push_back(
        {fmt::format("{}.weight", names.heads.front()), {config.vocab_size, hidden}, kHead});
  }
  return tensors;
}

std::int64_t ParameterCount(const ModelConfig& config) {
  std::int64_t count = 0;
  for (const ExpectedTensor& tensor : ExpectedTensors(config)) {
    std::int64_t elements = 1;
    for (const std::int64_t size : tensor.shape) elements *= size;
    count += elements;
  }
  return count;
}

std::string CanonicalTensorName(const ModelConfig& config, std::string_view file_name) {
  std::string name(file_name);
  for (const std::string_view wrapper :
       {"module.", "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."}) {
    StripAll(name, wrapper);
  }
  ReplaceSuffix(name, ".gamma", ".weight");
  ReplaceSuffix(name, ".beta", ".bias");
  for (const std::string_view head : config.names.heads) {
    if (name.starts_with(head) && name.substr(head.size()).starts_with('.')) return name;
  }
  if (!name.starts_with(config.names.prefix)) name.insert(0, config.names.prefix);
  return name;
}

bool IsKnownBuffer(std::string_view name) {
  for (const std::string_view suffix :
       {".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias",
        ".rotary_emb.inv_freq", ".position_ids"}) {
    if (name.ends_with(suffix)) return true;
  }
  return false;
}

}  // namespace couplingd
