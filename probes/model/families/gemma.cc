// Gemma: (1 + weight) norms, scaled embeddings, and since the second generation capped logits,
// norms around both parts of a layer and layers that see a window.
#include <fmt/format.h>

#include <cmath>

#include "probes/model/families.h"

namespace couplingd {
namespace {

Status ScaleEmbeddings(ModelConfig& config) {
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
  return {};
}

// Early files call it hidden_act "gelu" and mean the tanh approximation that trained them.
Status AdjustGemma(const ConfigReader& reader, ModelConfig& config) {
  const bool is_named = FindMember(reader.json(), "hidden_activation") != nullptr;
  if (!is_named && config.activation == Activation::kGelu) {
    config.activation = Activation::kGeluTanh;
  }
  return ScaleEmbeddings(config);
}

// Layer i slides unless (i + 1) is a multiple of the pattern, or as layer_types says.
Status ReadSlidingLayers(const ConfigReader& reader, std::int64_t pattern, ModelConfig& config) {
  const std::int64_t window = TRY(reader.SizeOrNone("sliding_window", 4096));
  const auto types = TRY(reader.SlidingLayers(config.layers));
  for (std::size_t layer = 0; layer < config.layer.size(); ++layer) {
    const bool by_pattern = (static_cast<std::int64_t>(layer) + 1) % pattern != 0;
    if (!(types ? (*types)[layer] : by_pattern)) continue;
    config.layer[layer].window = window;
    config.layer[layer].rope = config.ropes.size() - 1;
  }
  return {};
}

Status ReadQueryScalar(const ConfigReader& reader, ModelConfig& config) {
  const double scalar = TRY(reader.Positive("query_pre_attn_scalar")).value_or(256);
  config.attention_scale = 1 / std::sqrt(scalar);
  return {};
}

Status AdjustGemma2(const ConfigReader& reader, ModelConfig& config) {
  TRY(ReadQueryScalar(reader, config));
  TRY(ReadSlidingLayers(reader, 2, config));
  config.attention_softcap = TRY(reader.PositiveOrNone("attn_logit_softcapping", 50));
  config.logit_softcap = TRY(reader.PositiveOrNone("final_logit_softcapping", 30));
  return ScaleEmbeddings(config);
}

// attn_logit_softcapping may stand in the file; no implementation applies it.
Status AdjustGemma3(const ConfigReader& reader, ModelConfig& config) {
  TRY(ReadQueryScalar(reader, config));
  const std::int64_t pattern =
      TRY(reader.Size({{"sliding_window_pattern", "_sliding_window_pattern"}, 6}, 4096));
  TRY(ReadSlidingLayers(reader, pattern, config));
  config.logit_softcap = TRY(reader.PositiveOrNone("final_logit_softcapping", 0));
  return ScaleEmbeddings(config);
}

}  // namespace

Family Gemma() {
  Family family = Llama();
  family.model_type = "gemma";
  family.architecture = "GemmaForCausalLM";
  family.vocab_size.fallback = 256000;
  family.hidden_size.fallback = 3072;
  family.layers.fallback = 28;
  family.heads.fallback = 16;
  family.kv_heads.fallback = 16;
  family.head_dim.fallback = 256;
  family.intermediate_size.fallback = 24576;
  family.max_positions.fallback = 8192;
  family.norm = NormKind::kRmsNormOnePlus;
  family.mlp_bias = {};
  family.activation_keys = {"hidden_activation", "hidden_act"};
  family.activation = "gelu_pytorch_tanh";
  family.tie_embeddings = true;
  family.refused_flags = {"use_bidirectional_attention"};
  family.adjust = AdjustGemma;
  return family;
}

Family Gemma2() {
  Family family = Gemma();
  family.model_type = "gemma2";
  family.architecture = "Gemma2ForCausalLM";
  family.hidden_size.fallback = 2304;
  family.layers.fallback = 26;
  family.heads.fallback = 8;
  family.kv_heads.fallback = 4;
  family.intermediate_size.fallback = 9216;
  family.activation_keys = {"hidden_activation"};
  TensorNames& names = family.names;
  names.attention_output_norm = "layers.{}.post_attention_layernorm";
  names.second_norm = "layers.{}.pre_feedforward_layernorm";
  names.mlp_output_norm = "layers.{}.post_feedforward_layernorm";
  family.adjust = AdjustGemma2;
  return family;
}

Family Gemma3() {
  Family family = Gemma2();
  family.model_type = "gemma3_text";
  family.architecture = "Gemma3ForCausalLM";
  family.vocab_size.fallback = 262208;
  family.max_positions.fallback = 131072;
  family.rope_theta = 1e6;
  family.sliding_rope_theta = 10000;
  family.sliding_theta_key = "rope_local_base_freq";
  family.qk_norm = QkNorm::kShared;
  family.names.query_norm = "layers.{}.self_attn.q_norm";
  family.names.key_norm = "layers.{}.self_attn.k_norm";
  family.adjust = AdjustGemma3;
  return family;
}

}  // namespace couplingd
