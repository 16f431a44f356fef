// OLMo, whose norms moved: without weights in the first, behind the layers' parts since the second.
#include "probes/model/families.h"

namespace couplingd {
namespace {

Status AdjustOlmo(const ConfigReader& reader, ModelConfig& config) {
  config.clip_qkv = TRY(reader.PositiveOrNone("clip_qkv", 0));
  return {};
}

Status AdjustOlmo3(const ConfigReader& reader, ModelConfig& config) {
  const std::int64_t window = TRY(reader.SizeOrNone("sliding_window", 4096));
  const auto types = TRY(reader.SlidingLayers(config.layers));
  for (std::size_t layer = 0; layer < config.layer.size(); ++layer) {
    if (!(types ? (*types)[layer] : (layer + 1) % 4 != 0)) continue;
    config.layer[layer].window = window;
    config.layer[layer].rope = 1;
  }
  return {};
}

}  // namespace

Family Olmo() {
  Family family = Llama();
  family.model_type = "olmo";
  family.architecture = "OlmoForCausalLM";
  family.vocab_size.fallback = 50304;
  family.head_dim = {};
  family.norm = NormKind::kLayerNorm;
  family.norm_weight = family.norm_bias = false;
  family.norm_epsilon_key = "";
  family.norm_epsilon = 1e-5;
  family.mlp_bias = {};
  family.adjust = AdjustOlmo;
  return family;
}

Family Olmo2() {
  Family family = Llama();
  family.model_type = "olmo2";
  family.architecture = "Olmo2ForCausalLM";
  family.vocab_size.fallback = 50304;
  family.norm = NormKind::kRmsNormWide;
  family.norm_epsilon = 1e-5;
  family.mlp_bias = {};
  family.qk_norm = QkNorm::kWhole;
  TensorNames& names = family.names;
  names.first_norm = names.second_norm = "";
  names.attention_output_norm = "layers.{}.post_attention_layernorm";
  names.mlp_output_norm = "layers.{}.post_feedforward_layernorm";
  names.query_norm = "layers.{}.self_attn.q_norm";
  names.key_norm = "layers.{}.self_attn.k_norm";
  return family;
}

Family Olmo3() {
  Family family = Olmo2();
  family.model_type = "olmo3";
  family.architecture = "Olmo3ForCausalLM";
  family.rope_theta = family.sliding_rope_theta = 500000;
  family.sliding_theta_key = "rope_theta";
  family.adjust = AdjustOlmo3;
  return family;
}

}  // namespace couplingd
