// Gemma 4's text model: two head sizes, values that may be keys, keys that late layers read of
// earlier ones, a vector per layer that follows from the token, and experts beside the MLP.
#include <fmt/format.h>

#include <cmath>

#include "base/numbers.h"
#include "probes/model/families.h"
#include "probes/model/rope_config.h"

namespace couplingd {
namespace {

constexpr std::int64_t kMaxWidth = std::int64_t{1} << 20;
constexpr std::int64_t kMaxVocabulary = std::int64_t{1} << 24;
constexpr std::int64_t kMaxExperts = 4096;

// Layer i slides unless (i + 1) is a multiple of 6, or as layer_types says; the last never does.
Result<std::vector<bool>> SlidingLayers(const ConfigReader& reader, std::int64_t layers) {
  auto types = TRY(reader.SlidingLayers(layers));
  if (!types) {
    types.emplace();
    for (std::int64_t layer = 0; layer < layers; ++layer) types->push_back((layer + 1) % 6 != 0);
  }
  types->back() = false;
  return std::move(*types);
}

// per_layer_config {"5": {"head_dim": 512}}, as newer transformers write what differs.
Status ReadPerLayer(const ConfigReader& reader, const JsonValue& layers, ModelConfig& config) {
  const std::string source = fmt::format("{}: per_layer_config", reader.source());
  for (const auto& member : layers.GetObject()) {
    const std::string_view name = member.name.GetString();
    const auto index = ParseNumber<std::size_t>(name);
    if (!index || *index >= config.layer.size()) {
      return BadField(source, name, "is not the number of a layer");
    }
    if (!member.value.IsObject()) return BadField(source, name, "must be an object");
    const ConfigReader of(member.value, source);
    LayerConfig& layer = config.layer[*index];
    layer.head_dim = TRY(of.Size({{"head_dim"}, config.head_dim}, kMaxWidth));
    layer.kv_heads = TRY(of.Size({{"num_key_value_heads"}, config.kv_heads}, config.heads));
  }
  return {};
}

// Full layers have heads of their own size, and the file may give them fewer key heads.
Status ReadFullLayers(const ConfigReader& reader, const std::vector<bool>& is_sliding,
                      ModelConfig& config) {
  const bool values_are_keys = TRY(reader.Flag({"attention_k_eq_v", false}));
  const JsonValue* per_layer = TRY(reader.Object("per_layer_config"));
  const std::int64_t head_dim = TRY(reader.Size({{"global_head_dim"}, 512}, kMaxWidth));
  const std::int64_t kv_heads =
      TRY(reader.Size({{"num_global_key_value_heads"}, config.kv_heads}, config.heads));
  if (per_layer != nullptr) TRY(ReadPerLayer(reader, *per_layer, config));
  for (std::size_t index = 0; index < config.layer.size(); ++index) {
    if (is_sliding[index]) {
      if (config.layer[index].head_dim == 0) continue;
      return reader.Unsupported("per_layer_config",
                                "names a sliding layer; only full layers are "
                                "known to differ");
    }
    LayerConfig& layer = config.layer[index];
    if (layer.head_dim != config.layer.back().head_dim) {
      return reader.Unsupported("per_layer_config",
                                "gives full layers different head sizes; they turn alike");
    }
    layer.values_are_keys = values_are_keys;
    if (per_layer != nullptr) continue;
    layer.head_dim = head_dim;
    if (values_are_keys) layer.kv_heads = kv_heads;
  }
  return {};
}

// The last layers read keys and values of the last layer before them of their own kind.
Status ShareKeys(const ConfigReader& reader, const std::vector<bool>& is_sliding,
                 ModelConfig& config) {
  const std::int64_t shared =
      TRY(FindInt(reader.json(), "num_kv_shared_layers", reader.source())).value_or(0);
  if (shared < 0 || shared >= config.layers) {
    return BadField(reader.source(), "num_kv_shared_layers",
                    fmt::format("is {}, outside 0 to {}", shared, config.layers - 1));
  }
  const auto first = static_cast<std::size_t>(config.layers - shared);
  const bool is_wide = TRY(reader.Flag({"use_double_wide_mlp", false}));
  for (std::size_t index = first; index < config.layer.size(); ++index) {
    std::size_t source = first;
    while (source > 0 && is_sliding[source - 1] != is_sliding[index]) --source;
    if (source == 0) {
      return BadField(
          reader.source(), "num_kv_shared_layers",
          fmt::format("is {}, which leaves layer {} no earlier layer of its kind", shared, index));
    }
    config.layer[index].keys_of = source - 1;
    if (is_wide) config.layer[index].intermediate_size *= 2;
  }
  return {};
}

// Full layers turn a quarter of a head's pairs by default, at frequencies of the whole head.
Status ReadFullRope(const ConfigReader& reader, std::int64_t head_dim, ModelConfig& config) {
  ModelConfig wide = config;
  wide.head_dim = head_dim;
  wide.ropes.clear();
  TRY(ReadRopes(reader, Gemma4(), wide));
  config.ropes[0] = wide.ropes[0];
  if (TRY(reader.Object("rope_parameters")) != nullptr) return {};
  config.ropes[0].scaling.kind = RopeScalingKind::kProportional;
  config.ropes[0].scaling.rotating_pairs = head_dim / 8;
  return {};
}

Status ReadExperts(const ConfigReader& reader, ModelConfig& config) {
  if (!TRY(reader.Flag({"enable_moe_block", false}))) return {};
  Experts& experts = config.experts;
  experts.count = TRY(reader.Size({{"num_experts"}, 0}, kMaxExperts));
  experts.per_token =
      TRY(reader.Size({{"top_k_experts"}, 0}, std::max<std::int64_t>(1, experts.count)));
  experts.intermediate_size = TRY(reader.Size({{"moe_intermediate_size"}, 0}, kMaxWidth));
  if (experts.count == 0 || experts.per_token == 0 || experts.intermediate_size == 0) {
    return BadField(reader.source(), "enable_moe_block",
                    "is true, but num_experts, top_k_experts or moe_intermediate_size is missing");
  }
  experts.renormalise = experts.beside_mlp = experts.are_fused = true;
  for (LayerConfig& layer : config.layer) layer.has_experts = true;
  return {};
}

Status AdjustGemma4(const ConfigReader& reader, ModelConfig& config) {
  if (FindMember(reader.json(), "use_bidirectional_attention") != nullptr &&
      TRY(reader.Text("use_bidirectional_attention")) == "all") {
    return reader.Unsupported("use_bidirectional_attention",
                              "is \"all\", which is another architecture than a decoder");
  }
  config.attention_scale = 1;
  config.value_norm = true;
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
  config.logit_softcap = TRY(reader.PositiveOrNone("final_logit_softcapping", 0));
  const std::int64_t window = TRY(reader.SizeOrNone("sliding_window", 512));
  const std::vector<bool> is_sliding = TRY(SlidingLayers(reader, config.layers));
  for (std::size_t layer = 0; layer < config.layer.size(); ++layer) {
    if (!is_sliding[layer]) continue;
    config.layer[layer].window = window;
    config.layer[layer].rope = 1;
  }
  TRY(ReadFullLayers(reader, is_sliding, config));
  TRY(ShareKeys(reader, is_sliding, config));
  const std::int64_t full_head = config.layer.back().head_dim;
  TRY(ReadFullRope(reader, full_head == 0 ? config.head_dim : full_head, config));
  TRY(ReadExperts(reader, config));
  const std::int64_t inputs =
      TRY(FindInt(reader.json(), "hidden_size_per_layer_input", reader.source())).value_or(256);
  if (inputs < 0 || inputs > kMaxWidth) {
    return BadField(reader.source(), "hidden_size_per_layer_input", "must be a size, or 0");
  }
  config.layer_inputs.size = inputs;
  config.layer_inputs.vocab_size =
      TRY(reader.Size({{"vocab_size_per_layer_input"}, 262144}, kMaxVocabulary));
  if (inputs > 0 && config.layer_inputs.vocab_size < config.vocab_size) {
    return BadField(reader.source(), "vocab_size_per_layer_input",
                    fmt::format("is {}, less than the vocabulary of {}",
                                config.layer_inputs.vocab_size, config.vocab_size));
  }
  return {};
}

}  // namespace

Family Gemma4() {
  Family family = Gemma3();
  family.model_type = "gemma4_text";
  family.architecture = "Gemma4ForCausalLM";
  family.vocab_size.fallback = 262144;
  family.layers.fallback = 30;
  family.norm = NormKind::kRmsNormWide;
  family.sliding_theta_key = "";
  family.refused_flags = {};
  TensorNames& names = family.names;
  names.layer_embedding = "embed_tokens_per_layer";
  names.layer_projection = "per_layer_model_projection";
  names.layer_projection_norm = "per_layer_projection_norm";
  names.layer_input_gate = "layers.{}.per_layer_input_gate";
  names.layer_input_projection = "layers.{}.per_layer_projection";
  names.layer_input_norm = "layers.{}.post_per_layer_input_norm";
  names.layer_scale = "layers.{}.layer_scalar";
  names.fused_router = names.router = "layers.{}.router.proj";
  names.router_scale = "layers.{}.router.scale";
  names.expert_scale = "layers.{}.router.per_expert_scale";
  names.fused_expert_gate_up = "layers.{}.experts.gate_up_proj";
  names.fused_expert_down = "layers.{}.experts.down_proj";
  names.mlp_branch_norm = "layers.{}.post_feedforward_layernorm_1";
  names.expert_input_norm = "layers.{}.pre_feedforward_layernorm_2";
  names.expert_output_norm = "layers.{}.post_feedforward_layernorm_2";
  family.adjust = AdjustGemma4;
  return family;
}

}  // namespace couplingd
