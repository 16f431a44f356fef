// GPT-2 and what descends from it: learned or rotary positions, LayerNorm, an MLP without a gate.
#include <fmt/format.h>

#include "probes/model/families.h"

namespace couplingd {
namespace {

// attention_types [[["global", "local"], 12]] repeats its pattern; attention_layers is its
// expansion.
Result<std::vector<bool>> LocalLayers(const ConfigReader& reader, std::int64_t layers) {
  constexpr std::string_view kKey = "attention_types";
  const auto bad = [&] {
    return BadField(reader.source(), kKey,
                    fmt::format("must give one of \"global\" and \"local\" to each of the {} "
                                "layers, as [[[\"global\", \"local\"], {}]] does",
                                layers, layers / 2));
  };
  std::vector<bool> is_local;
  const auto add = [&](const JsonValue& type) {
    const std::string_view name = type.IsString() ? type.GetString() : "";
    is_local.push_back(name == "local");
    return name == "local" || name == "global";
  };
  const JsonValue* types = FindMember(reader.json(), kKey);
  if (types == nullptr) {
    for (std::int64_t layer = 0; layer < layers; ++layer) is_local.push_back(layer % 2 == 1);
    return is_local;
  }
  if (!types->IsArray()) return bad();
  for (const JsonValue& item : types->GetArray()) {
    if (!item.IsArray() || item.Size() != 2 || !item[0].IsArray() || !item[1].IsInt64()) {
      return bad();
    }
    for (std::int64_t i = 0; i < item[1].GetInt64(); ++i) {
      for (const JsonValue& type : item[0].GetArray()) {
        if (!add(type) || std::ssize(is_local) > layers) return bad();
      }
      if (item[0].Empty()) return bad();
    }
  }
  if (std::ssize(is_local) != layers) return bad();
  return is_local;
}

Status AdjustGptNeo(const ConfigReader& reader, ModelConfig& config) {
  const std::vector<bool> is_local = TRY(LocalLayers(reader, config.layers));
  const std::int64_t window = TRY(reader.Size({{"window_size"}, 256}, std::int64_t{1} << 40));
  for (std::size_t layer = 0; layer < config.layer.size(); ++layer) {
    if (is_local[layer]) config.layer[layer].window = window;
  }
  return {};
}

// Without rotary_dim, transformers reads a table for the whole hidden size that no head fits.
Status AdjustGptJ(const ConfigReader& reader, ModelConfig& config) {
  const std::int64_t dim = TRY(reader.SizeOrNone("rotary_dim", 64));
  if (dim < 2 || dim % 2 != 0 || dim > config.head_dim) {
    return BadField(reader.source(), "rotary_dim",
                    fmt::format("must be an even number up to the head size {}", config.head_dim));
  }
  config.ropes[0].dim = dim;
  return {};
}

Status AdjustOpt(const ConfigReader& reader, ModelConfig& config) {
  config.position_offset = 2;
  config.norm_weight = TRY(reader.Flag({"layer_norm_elementwise_affine", true}));
  config.norm_bias = config.norm_weight;
  const bool norm_first = TRY(reader.Flag({"do_layer_norm_before", true}));
  if (!norm_first) config.residual = Residual::kAfter;
  if (!norm_first || TRY(reader.Flag({"_remove_final_layer_norm", false}))) {
    config.names.final_norm = "";
  }
  config.embedding_size = TRY(reader.SizeOrNone("word_embed_proj_dim", 0));
  if (config.embedding_size == 0) config.embedding_size = config.hidden_size;
  if (config.embedding_size == config.hidden_size) {
    config.names.project_in = config.names.project_out = "";
  }
  return {};
}

}  // namespace

Family Gpt2() {
  return {
      .model_type = "gpt2",
      .architecture = "GPT2LMHeadModel",
      .vocab_size = {{"vocab_size"}, 50257},
      .hidden_size = {{"n_embd", "hidden_size"}, 768},
      .layers = {{"n_layer", "num_hidden_layers"}, 12},
      .heads = {{"n_head", "num_attention_heads"}, 12},
      .intermediate_size = {{"n_inner"}},
      .max_positions = {{"n_positions", "max_position_embeddings"}, 1024},
      .norm_epsilon_key = "layer_norm_epsilon",
      .qkv_layout = QkvLayout::kFusedBlocks,
      .transposed_projections = true,
      .qkv_bias = {"", true},
      .attention_output_bias = {"", true},
      .mlp_bias = {"", true},
      .activation_keys = {"activation_function"},
      .activation = "gelu_new",
      .scale_attention = {"scale_attn_weights", true},
      .scale_attention_by_layer = {"scale_attn_by_inverse_layer_idx", false},
      .tie_embeddings = true,
      .refused_flags = {"add_cross_attention"},
      .names = {.prefix = "transformer.",
                .embedding = "wte",
                .positions = "wpe",
                .first_norm = "h.{}.ln_1",
                .fused_qkv = "h.{}.attn.c_attn",
                .attention_output = "h.{}.attn.c_proj",
                .second_norm = "h.{}.ln_2",
                .up = "h.{}.mlp.c_fc",
                .down = "h.{}.mlp.c_proj",
                .final_norm = "ln_f",
                .heads = {"lm_head"}},
  };
}

// Scores are not scaled at all.
Family GptNeo() {
  return {
      .model_type = "gpt_neo",
      .architecture = "GPTNeoForCausalLM",
      .vocab_size = {{"vocab_size"}, 50257},
      .hidden_size = {{"hidden_size"}, 2048},
      .layers = {{"num_layers", "num_hidden_layers"}, 24},
      .heads = {{"num_heads", "num_attention_heads"}, 16},
      .intermediate_size = {{"intermediate_size"}},
      .max_positions = {{"max_position_embeddings"}, 2048},
      .norm_epsilon_key = "layer_norm_epsilon",
      .attention_output_bias = {"", true},
      .mlp_bias = {"", true},
      .activation_keys = {"activation_function"},
      .activation = "gelu_new",
      .scale_attention = {"", false},
      .tie_embeddings = true,
      .names = {.prefix = "transformer.",
                .embedding = "wte",
                .positions = "wpe",
                .first_norm = "h.{}.ln_1",
                .query = "h.{}.attn.attention.q_proj",
                .key = "h.{}.attn.attention.k_proj",
                .value = "h.{}.attn.attention.v_proj",
                .attention_output = "h.{}.attn.attention.out_proj",
                .second_norm = "h.{}.ln_2",
                .up = "h.{}.mlp.c_fc",
                .down = "h.{}.mlp.c_proj",
                .final_norm = "ln_f",
                .heads = {"lm_head"}},
      .adjust = AdjustGptNeo,
  };
}

Family GptJ() {
  return {
      .model_type = "gptj",
      .architecture = "GPTJForCausalLM",
      .vocab_size = {{"vocab_size"}, 50400},
      .hidden_size = {{"n_embd", "hidden_size"}, 4096},
      .layers = {{"n_layer", "num_hidden_layers"}, 28},
      .heads = {{"n_head", "num_attention_heads"}, 16},
      .intermediate_size = {{"n_inner"}},
      .max_positions = {{"n_positions", "max_position_embeddings"}, 2048},
      .norm_epsilon_key = "layer_norm_epsilon",
      .parallel_residual = {"", true},
      .mlp_bias = {"", true},
      .head_bias = true,
      .activation_keys = {"activation_function"},
      .activation = "gelu_new",
      .rotary = Rotary::kInterleaved,
      .names = {.prefix = "transformer.",
                .embedding = "wte",
                .first_norm = "h.{}.ln_1",
                .query = "h.{}.attn.q_proj",
                .key = "h.{}.attn.k_proj",
                .value = "h.{}.attn.v_proj",
                .attention_output = "h.{}.attn.out_proj",
                .up = "h.{}.mlp.fc_in",
                .down = "h.{}.mlp.fc_out",
                .final_norm = "ln_f",
                .heads = {"lm_head"}},
      .adjust = AdjustGptJ,
  };
}

Family GptNeoX() {
  return {
      .model_type = "gpt_neox",
      .architecture = "GPTNeoXForCausalLM",
      .vocab_size = {{"vocab_size"}, 50432},
      .hidden_size = {{"hidden_size"}, 6144},
      .layers = {{"num_hidden_layers"}, 44},
      .heads = {{"num_attention_heads"}, 64},
      .intermediate_size = {{"intermediate_size"}, 24576},
      .max_positions = {{"max_position_embeddings"}, 2048},
      .norm_epsilon_key = "layer_norm_eps",
      .parallel_residual = {"use_parallel_residual", true},
      .qkv_layout = QkvLayout::kFusedPerGroup,
      .qkv_bias = {"attention_bias", true},
      .attention_output_bias = {"attention_bias", true},
      .mlp_bias = {"", true},
      .activation = "gelu",
      .rotary = Rotary::kHalf,
      .partial_rotary_factor = 0.25,
      .names = {.prefix = "gpt_neox.",
                .embedding = "embed_in",
                .first_norm = "layers.{}.input_layernorm",
                .fused_qkv = "layers.{}.attention.query_key_value",
                .attention_output = "layers.{}.attention.dense",
                .second_norm = "layers.{}.post_attention_layernorm",
                .up = "layers.{}.mlp.dense_h_to_4h",
                .down = "layers.{}.mlp.dense_4h_to_h",
                .final_norm = "final_layer_norm",
                .heads = {"embed_out", "lm_head"}},
  };
}

Family Opt() {
  return {
      .model_type = "opt",
      .architecture = "OPTForCausalLM",
      .vocab_size = {{"vocab_size"}, 50272},
      .hidden_size = {{"hidden_size"}, 768},
      .layers = {{"num_hidden_layers"}, 12},
      .heads = {{"num_attention_heads"}, 12},
      .intermediate_size = {{"ffn_dim"}, 3072},
      .max_positions = {{"max_position_embeddings"}, 2048},
      .qkv_bias = {"enable_bias", true},
      .attention_output_bias = {"enable_bias", true},
      .mlp_bias = {"enable_bias", true},
      .activation_keys = {"activation_function"},
      .activation = "relu",
      .tie_embeddings = true,
      .names = {.prefix = "model.decoder.",
                .embedding = "embed_tokens",
                .project_in = "project_in",
                .positions = "embed_positions",
                .first_norm = "layers.{}.self_attn_layer_norm",
                .query = "layers.{}.self_attn.q_proj",
                .key = "layers.{}.self_attn.k_proj",
                .value = "layers.{}.self_attn.v_proj",
                .attention_output = "layers.{}.self_attn.out_proj",
                .second_norm = "layers.{}.final_layer_norm",
                .up = "layers.{}.fc1",
                .down = "layers.{}.fc2",
                .final_norm = "final_layer_norm",
                .project_out = "project_out",
                .heads = {"lm_head"}},
      .adjust = AdjustOpt,
  };
}

}  // namespace couplingd
