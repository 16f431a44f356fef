// Phi, StableLM and StarCoder2: rotary positions with parts of the older layouts.
#include "probes/model/families.h"

namespace couplingd {
namespace {

Status AdjustWindow(const ConfigReader& reader, ModelConfig& config) {
  return SetWindowOfAllLayers(reader, 0, config);
}

Status AdjustPhi(const ConfigReader& reader, ModelConfig& config) {
  if (!TRY(reader.Flag({"qk_layernorm", false}))) return {};
  config.qk_norm = QkNorm::kShared;
  config.qk_norm_bias = true;
  return {};
}

Status AdjustStableLm(const ConfigReader& reader, ModelConfig& config) {
  if (config.residual == Residual::kParallel) config.names.second_norm = "";
  if (TRY(reader.Flag({"qk_layernorm", false}))) config.qk_norm = QkNorm::kPerHead;
  return {};
}

}  // namespace

Family Phi() {
  return {
      .model_type = "phi",
      .architecture = "PhiForCausalLM",
      .vocab_size = {{"vocab_size"}, 51200},
      .hidden_size = {{"hidden_size"}, 2048},
      .layers = {{"num_hidden_layers"}, 24},
      .heads = {{"num_attention_heads"}, 32},
      .kv_heads = {{"num_key_value_heads"}},
      .intermediate_size = {{"intermediate_size"}, 8192},
      .max_positions = {{"max_position_embeddings"}, 2048},
      .norm_epsilon_key = "layer_norm_eps",
      .parallel_residual = {"", true},
      .qkv_bias = {"", true},
      .attention_output_bias = {"", true},
      .mlp_bias = {"", true},
      .head_bias = true,
      .activation = "gelu_new",
      .rotary = Rotary::kHalf,
      .partial_rotary_factor = 0.5,
      .names = {.prefix = "model.",
                .embedding = "embed_tokens",
                .first_norm = "layers.{}.input_layernorm",
                .query = "layers.{}.self_attn.q_proj",
                .key = "layers.{}.self_attn.k_proj",
                .value = "layers.{}.self_attn.v_proj",
                .query_norm = "layers.{}.self_attn.q_layernorm",
                .key_norm = "layers.{}.self_attn.k_layernorm",
                .attention_output = "layers.{}.self_attn.dense",
                .up = "layers.{}.mlp.fc1",
                .down = "layers.{}.mlp.fc2",
                .final_norm = "final_layernorm",
                .heads = {"lm_head"}},
      .adjust = AdjustPhi,
  };
}

Family Phi3() {
  Family family = Llama();
  family.model_type = "phi3";
  family.architecture = "Phi3ForCausalLM";
  family.vocab_size.fallback = 32064;
  family.hidden_size.fallback = 3072;
  family.head_dim = {};
  family.intermediate_size.fallback = 8192;
  family.max_positions.fallback = 4096;
  family.norm_epsilon = 1e-5;
  family.qkv_layout = QkvLayout::kFusedBlocks;
  family.qkv_bias = family.attention_output_bias = family.mlp_bias = {};
  family.original_max_positions = 4096;
  family.yarn_is_longrope = true;
  TensorNames& names = family.names;
  names.query = names.key = names.value = names.gate = names.up = "";
  names.fused_qkv = "layers.{}.self_attn.qkv_proj";
  names.fused_gate_up = "layers.{}.mlp.gate_up_proj";
  family.adjust = AdjustWindow;
  return family;
}

Family StableLm() {
  Family family = Llama();
  family.model_type = "stablelm";
  family.architecture = "StableLmForCausalLM";
  family.vocab_size.fallback = 50304;
  family.hidden_size.fallback = 2560;
  family.kv_heads.fallback = 32;
  family.head_dim = {};
  family.intermediate_size.fallback = 6912;
  family.max_positions.fallback = 4096;
  family.norm = NormKind::kLayerNorm;
  family.norm_epsilon_key = "layer_norm_eps";
  family.norm_epsilon = 1e-5;
  family.parallel_residual = {"use_parallel_residual", false};
  family.qkv_bias = {"use_qkv_bias", false};
  family.attention_output_bias = family.mlp_bias = {};
  family.partial_rotary_factor = 0.25;
  family.names.query_norm = "layers.{}.self_attn.q_layernorm.norms.{}";
  family.names.key_norm = "layers.{}.self_attn.k_layernorm.norms.{}";
  family.adjust = AdjustStableLm;
  return family;
}

Family Starcoder2() {
  Family family = Llama();
  family.model_type = "starcoder2";
  family.architecture = "Starcoder2ForCausalLM";
  family.vocab_size.fallback = 49152;
  family.hidden_size.fallback = 3072;
  family.layers.fallback = 30;
  family.heads.fallback = 24;
  family.kv_heads.fallback = 2;
  family.head_dim = {};
  family.intermediate_size.fallback = 12288;
  family.max_positions.fallback = 4096;
  family.norm = NormKind::kLayerNorm;
  family.norm_epsilon_key = "norm_epsilon";
  family.norm_epsilon = 1e-5;
  family.qkv_bias = family.attention_output_bias = family.mlp_bias = {"use_bias", true};
  family.gated_mlp = false;
  family.activation = "gelu_pytorch_tanh";
  family.tie_embeddings = true;
  family.names.gate = "";
  family.names.up = "layers.{}.mlp.c_fc";
  family.names.down = "layers.{}.mlp.c_proj";
  family.adjust = AdjustWindow;
  return family;
}

}  // namespace couplingd
