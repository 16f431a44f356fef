#include <fmt/format.h>

#include "probes/model/config.h"

namespace couplingd {
namespace {

// The stem with its first "{}" as the layer and its second as the part.
std::string Filled(std::string_view stem, std::int64_t layer, std::int64_t part) {
  std::string name;
  for (const std::int64_t number : {layer, part}) {
    const std::size_t at = stem.find("{}");
    if (at == std::string_view::npos) break;
    name += fmt::format("{}{}", stem.substr(0, at), number);
    stem.remove_prefix(at + 2);
  }
  return name.append(stem);
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

// Collects in the order of the forward pass. A stem that the family lacks adds nothing.
class TensorList {
 public:
  explicit TensorList(const ModelConfig& config) : config_(config), names_(config.names) {}

  std::vector<ExpectedTensor> All() {
    using enum TensorRole;
    const std::int64_t hidden = config_.hidden_size, embedding = config_.embedding_size;
    Add(kEmbedding, names_.embedding, {config_.vocab_size, embedding});
    Add(kProjectIn, names_.project_in, {hidden, embedding});
    Add(kPositions, names_.positions, {config_.max_positions + config_.position_offset, hidden});
    AddNorm(kEmbeddingNorm, names_.embedding_norm);
    AddLayerInputs();
    for (layer_ = 0; layer_ < config_.layers; ++layer_) AddLayer();
    layer_ = 0;
    AddNorm(kFinalNorm, names_.final_norm);
    Add(kProjectOut, names_.project_out, {embedding, hidden});
    AddHead();
    return std::move(tensors_);
  }

 private:
  void Add(TensorRole role, std::string_view stem, std::vector<std::int64_t> shape,
           std::string_view suffix = ".weight", std::int64_t part = 0) {
    if (stem.empty()) return;
    tensors_.push_back({fmt::format("{}{}{}", names_.prefix, Filled(stem, layer_, part), suffix),
                        std::move(shape), role, layer_, suffix == ".bias", part});
  }

  void AddNorm(TensorRole role, std::string_view stem) {
    if (config_.norm_weight) Add(role, stem, {config_.hidden_size});
    if (config_.norm == NormKind::kLayerNorm && config_.norm_bias) {
      Add(role, stem, {config_.hidden_size}, ".bias");
    }
  }

  void AddProjection(TensorRole role, std::string_view stem, std::int64_t out, std::int64_t in,
                     bool has_bias, std::int64_t part = 0) {
    std::vector<std::int64_t> shape = {out, in};
    if (config_.transposed_projections) std::swap(shape[0], shape[1]);
    Add(role, stem, std::move(shape), ".weight", part);
    if (has_bias) Add(role, stem, {out}, ".bias", part);
  }

  void AddLayerInputs() {
    using enum TensorRole;
    const std::int64_t size = config_.layer_inputs.size, all = config_.layers * size;
    if (size == 0) return;
    Add(kLayerEmbedding, names_.layer_embedding, {config_.layer_inputs.vocab_size, all});
    Add(kLayerProjection, names_.layer_projection, {all, config_.hidden_size});
    Add(kLayerProjectionNorm, names_.layer_projection_norm, {size});
  }

  void AddQkNorm(TensorRole role, std::string_view stem, std::int64_t heads,
                 std::int64_t head_dim) {
    const std::int64_t tensors = config_.qk_norm == QkNorm::kPerHead ? heads : 1;
    const std::int64_t size = head_dim * (config_.qk_norm == QkNorm::kWhole ? heads : 1);
    for (std::int64_t part = 0; part < tensors; ++part) {
      Add(role, stem, {size}, ".weight", part);
      if (config_.qk_norm_bias) Add(role, stem, {size}, ".bias", part);
    }
  }

  void AddLayer() {
    using enum TensorRole;
    const std::int64_t hidden = config_.hidden_size;
    const LayerConfig& layer = config_.layer[static_cast<std::size_t>(layer_)];
    const std::int64_t queries = config_.heads * layer.head_dim;
    const std::int64_t keys = layer.KeyRows(), values = layer.ValueRows();
    AddNorm(kFirstNorm, names_.first_norm);
    AddProjection(kQuery, names_.query, queries, hidden, config_.qkv_bias);
    if (keys > 0) AddProjection(kKey, names_.key, keys, hidden, config_.qkv_bias);
    if (values > 0) AddProjection(kValue, names_.value, values, hidden, config_.qkv_bias);
    AddProjection(kFusedQkv, names_.fused_qkv, queries + keys + values, hidden, config_.qkv_bias);
    if (config_.qk_norm != QkNorm::kNone) {
      AddQkNorm(kQueryNorm, names_.query_norm, config_.heads, layer.head_dim);
      if (keys > 0) AddQkNorm(kKeyNorm, names_.key_norm, layer.kv_heads, layer.head_dim);
    }
    AddProjection(kAttentionOutput, names_.attention_output, hidden, queries,
                  config_.attention_output_bias);
    AddNorm(kAttentionOutputNorm, names_.attention_output_norm);
    AddNorm(kSecondNorm, names_.second_norm);
    if (layer.has_experts) AddExperts();
    if (!layer.has_experts || config_.experts.beside_mlp) {
      const std::int64_t wide = layer.intermediate_size;
      AddProjection(kGate, names_.gate, wide, hidden, config_.mlp_bias);
      AddProjection(kUp, names_.up, wide, hidden, config_.mlp_bias);
      AddProjection(kFusedGateUp, names_.fused_gate_up, 2 * wide, hidden, config_.mlp_bias);
      AddProjection(kDown, names_.down, hidden, wide, config_.mlp_bias);
    }
    AddNorm(kMlpOutputNorm, names_.mlp_output_norm);
    if (const std::int64_t size = config_.layer_inputs.size; size > 0) {
      Add(kLayerInputGate, names_.layer_input_gate, {size, hidden});
      Add(kLayerInputProjection, names_.layer_input_projection, {hidden, size});
      AddNorm(kLayerInputNorm, names_.layer_input_norm);
    }
    Add(kLayerScale, names_.layer_scale, {1}, "");
  }

  void AddExperts() {
    using enum TensorRole;
    const Experts& experts = config_.experts;
    const std::int64_t hidden = config_.hidden_size, wide = experts.intermediate_size;
    if (experts.beside_mlp) {
      Add(kRouterScale, names_.router_scale, {hidden}, "");
      Add(kExpertScale, names_.expert_scale, {experts.count}, "");
      AddNorm(kMlpBranchNorm, names_.mlp_branch_norm);
      AddNorm(kExpertInputNorm, names_.expert_input_norm);
      AddNorm(kExpertOutputNorm, names_.expert_output_norm);
    }
    if (experts.are_fused) {
      Add(kRouter, names_.fused_router, {experts.count, hidden});
      Add(kFusedExpertGateUp, names_.fused_expert_gate_up, {experts.count, 2 * wide, hidden}, "");
      Add(kFusedExpertDown, names_.fused_expert_down, {experts.count, hidden, wide}, "");
      return;
    }
    Add(kRouter, names_.router, {experts.count, hidden});
    for (std::int64_t expert = 0; expert < experts.count; ++expert) {
      AddProjection(kExpertGate, names_.expert_gate, wide, hidden, false, expert);
      AddProjection(kExpertUp, names_.expert_up, wide, hidden, false, expert);
      AddProjection(kExpertDown, names_.expert_down, hidden, wide, false, expert);
    }
  }

  void AddHead() {
    const std::string_view name = config_.names.heads.front();
    if (config_.head_bias) {
      tensors_.push_back(
          {fmt::format("{}.bias", name), {config_.vocab_size}, TensorRole::kHead, 0, true});
    }
    if (config_.tie_embeddings) return;
    tensors_.push_back({fmt::format("{}.weight", name),
                        {config_.vocab_size, config_.embedding_size},
                        TensorRole::kHead});
  }

  const ModelConfig& config_;
  const TensorNames& names_;
  std::int64_t layer_ = 0;
  std::vector<ExpectedTensor> tensors_;
};

}  // namespace

bool IsFactor(TensorRole role) {
  switch (role) {
    case TensorRole::kEmbeddingNorm:
    case TensorRole::kLayerProjectionNorm:
    case TensorRole::kFirstNorm:
    case TensorRole::kQueryNorm:
    case TensorRole::kKeyNorm:
    case TensorRole::kAttentionOutputNorm:
    case TensorRole::kSecondNorm:
    case TensorRole::kMlpOutputNorm:
    case TensorRole::kRouterScale:
    case TensorRole::kExpertScale:
    case TensorRole::kMlpBranchNorm:
    case TensorRole::kExpertInputNorm:
    case TensorRole::kExpertOutputNorm:
    case TensorRole::kLayerInputNorm:
    case TensorRole::kLayerScale:
    case TensorRole::kFinalNorm:
      return true;
    default:
      return false;
  }
}

std::vector<ExpectedTensor> ExpectedTensors(const ModelConfig& config) {
  return TensorList(config).All();
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
  if (name.starts_with(config.names.prefix)) return name;
  // A base model's file lacks the prefix, or all but its last part ("decoder." of OPT).
  const std::string_view prefix = config.names.prefix;
  for (std::size_t end = prefix.find('.') + 1; end != 0 && end < prefix.size();
       end = prefix.find('.', end) + 1) {
    if (name.starts_with(prefix.substr(end))) return name.insert(0, prefix.substr(0, end));
  }
  return name.insert(0, prefix);
}

bool IsUnusedKeyOrValue(const ModelConfig& config, std::string_view canonical_name) {
  const TensorNames& names = config.names;
  for (std::size_t layer = 0; layer < config.layer.size(); ++layer) {
    if (!config.layer[layer].keys_of) continue;
    for (const std::string_view stem : {names.key, names.value, names.key_norm}) {
      const std::string name = fmt::format(
          "{}{}.weight", names.prefix, Filled(stem, static_cast<std::int64_t>(layer), /*part=*/0));
      if (name == canonical_name) return true;
    }
  }
  return false;
}

bool IsKnownBuffer(std::string_view name) {
  for (const std::string_view suffix :
       {".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias",
        ".rotary_emb.inv_freq", ".position_ids", ".embed_positions"}) {
    if (name.ends_with(suffix)) return true;
  }
  return false;
}

}  // namespace couplingd
