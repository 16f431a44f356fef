// Llama and what kept its layout: RMSNorm, rotary positions, a gated MLP, no biases by default.
#include <fmt/format.h>

#include <algorithm>

#include "probes/model/families.h"

namespace couplingd {
namespace {

constexpr std::int64_t kMaxExperts = 4096;

Status AdjustMistral(const ConfigReader& reader, ModelConfig& config) {
  return SetWindowOfAllLayers(reader, 4096, config);
}

Status ReadExperts(const ConfigReader& reader, std::int64_t count, std::int64_t per_token,
                   ModelConfig& config) {
  config.experts.count =
      TRY(reader.Size({{"num_local_experts", "num_experts"}, count}, kMaxExperts));
  config.experts.per_token =
      TRY(reader.Size({{"num_experts_per_tok"}, per_token}, config.experts.count));
  return {};
}

Status AdjustMixtral(const ConfigReader& reader, ModelConfig& config) {
  TRY(SetWindowOfAllLayers(reader, 0, config));
  TRY(ReadExperts(reader, 8, 2, config));
  config.experts.intermediate_size = config.intermediate_size;
  config.experts.renormalise = true;
  for (LayerConfig& layer : config.layer) layer.has_experts = true;
  return {};
}

// Layers from max_window_layers on see a window, or those that layer_types names.
Status AdjustQwen2(const ConfigReader& reader, ModelConfig& config) {
  if (!TRY(reader.Flag({"use_sliding_window", false}))) return {};
  const std::int64_t window = TRY(reader.SizeOrNone("sliding_window", 4096));
  const std::int64_t first =
      TRY(FindInt(reader.json(), "max_window_layers", reader.source())).value_or(28);
  const auto types = TRY(reader.SlidingLayers(config.layers));
  for (std::size_t layer = 0; layer < config.layer.size(); ++layer) {
    const bool is_sliding = types ? (*types)[layer] : static_cast<std::int64_t>(layer) >= first;
    if (is_sliding) config.layer[layer].window = window;
  }
  return {};
}

// Here the window, if there is one, holds for all layers.
Status AdjustQwen3Moe(const ConfigReader& reader, ModelConfig& config) {
  if (TRY(reader.Flag({"use_sliding_window", false}))) TRY(AdjustMistral(reader, config));
  TRY(ReadExperts(reader, 128, 8, config));
  config.experts.intermediate_size =
      TRY(reader.Size({{"moe_intermediate_size"}, 768}, std::int64_t{1} << 20));
  config.experts.renormalise = TRY(reader.Flag({"norm_topk_prob", false}));
  const std::int64_t step = TRY(reader.Size({{"decoder_sparse_step"}, 1}, std::int64_t{1} << 20));
  const auto dense = TRY(reader.Integers("mlp_only_layers")).value_or(std::vector<std::int64_t>{});
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    config.layer[static_cast<std::size_t>(layer)].has_experts =
        std::ranges::find(dense, layer) == dense.end() && (layer + 1) % step == 0;
  }
  return {};
}

}  // namespace

Family Llama() {
  return {
      .model_type = "llama",
      .architecture = "LlamaForCausalLM",
      .vocab_size = {{"vocab_size"}, 32000},
      .hidden_size = {{"hidden_size"}, 4096},
      .layers = {{"num_hidden_layers"}, 32},
      .heads = {{"num_attention_heads"}, 32},
      .kv_heads = {{"num_key_value_heads"}},
      .head_dim = {{"head_dim"}},
      .intermediate_size = {{"intermediate_size"}, 11008},
      .max_positions = {{"max_position_embeddings"}, 2048},
      .norm = NormKind::kRmsNorm,
      .norm_epsilon_key = "rms_norm_eps",
      .norm_epsilon = 1e-6,
      .qkv_bias = {"attention_bias", false},
      .attention_output_bias = {"attention_bias", false},
      .mlp_bias = {"mlp_bias", false},
      .gated_mlp = true,
      .rotary = Rotary::kHalf,
      .names = {.prefix = "model.",
                .embedding = "embed_tokens",
                .first_norm = "layers.{}.input_layernorm",
                .query = "layers.{}.self_attn.q_proj",
                .key = "layers.{}.self_attn.k_proj",
                .value = "layers.{}.self_attn.v_proj",
                .attention_output = "layers.{}.self_attn.o_proj",
                .second_norm = "layers.{}.post_attention_layernorm",
                .gate = "layers.{}.mlp.gate_proj",
                .up = "layers.{}.mlp.up_proj",
                .down = "layers.{}.mlp.down_proj",
                .final_norm = "norm",
                .heads = {"lm_head"}},
  };
}

Family Mistral() {
  Family family = Llama();
  family.model_type = "mistral";
  family.architecture = "MistralForCausalLM";
  family.kv_heads.fallback = 8;
  family.intermediate_size.fallback = 14336;
  family.max_positions.fallback = 131072;
  family.qkv_bias = family.attention_output_bias = family.mlp_bias = {};
  family.adjust = AdjustMistral;
  return family;
}

Family Mixtral() {
  Family family = Mistral();
  family.model_type = "mixtral";
  family.architecture = "MixtralForCausalLM";
  family.norm_epsilon = 1e-5;
  family.rope_theta = 1e6;
  TensorNames& names = family.names;
  names.gate = names.up = names.down = "";
  names.router = "layers.{}.block_sparse_moe.gate";
  names.fused_router = "layers.{}.mlp.gate";
  names.expert_gate = "layers.{}.block_sparse_moe.experts.{}.w1";
  names.expert_up = "layers.{}.block_sparse_moe.experts.{}.w3";
  names.expert_down = "layers.{}.block_sparse_moe.experts.{}.w2";
  names.fused_expert_gate_up = "layers.{}.mlp.experts.gate_up_proj";
  names.fused_expert_down = "layers.{}.mlp.experts.down_proj";
  family.adjust = AdjustMixtral;
  return family;
}

Family Qwen2() {
  Family family = Llama();
  family.model_type = "qwen2";
  family.architecture = "Qwen2ForCausalLM";
  family.vocab_size.fallback = 151936;
  family.kv_heads.fallback = 32;
  family.intermediate_size.fallback = 22016;
  family.max_positions.fallback = 32768;
  family.qkv_bias = {"", true};
  family.attention_output_bias = family.mlp_bias = {};
  family.adjust = AdjustQwen2;
  return family;
}

Family Qwen3() {
  Family family = Qwen2();
  family.model_type = "qwen3";
  family.architecture = "Qwen3ForCausalLM";
  family.head_dim.fallback = 128;
  family.qkv_bias = family.attention_output_bias = {"attention_bias", false};
  family.qk_norm = QkNorm::kShared;
  family.names.query_norm = "layers.{}.self_attn.q_norm";
  family.names.key_norm = "layers.{}.self_attn.k_norm";
  return family;
}

Family Qwen3Moe() {
  Family family = Qwen3();
  family.model_type = "qwen3_moe";
  family.architecture = "Qwen3MoeForCausalLM";
  family.hidden_size.fallback = 2048;
  family.layers.fallback = 24;
  family.kv_heads.fallback = 4;
  family.head_dim.fallback = 0;
  family.intermediate_size.fallback = 6144;
  TensorNames& names = family.names;
  names.router = names.fused_router = "layers.{}.mlp.gate";
  names.expert_gate = "layers.{}.mlp.experts.{}.gate_proj";
  names.expert_up = "layers.{}.mlp.experts.{}.up_proj";
  names.expert_down = "layers.{}.mlp.experts.{}.down_proj";
  names.fused_expert_gate_up = "layers.{}.mlp.experts.gate_up_proj";
  names.fused_expert_down = "layers.{}.mlp.experts.down_proj";
  family.adjust = AdjustQwen3Moe;
  return family;
}

}  // namespace couplingd
