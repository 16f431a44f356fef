// Families whose attention knows positions by ALiBi's biases, and Falcon, which may.
#include <fmt/format.h>

#include <cmath>

#include "probes/model/families.h"

namespace couplingd {
namespace {

// The slopes of the paper: powers of 2^(-8 / n) for a power n of two; for other numbers of heads
// the rest are every second power of the next larger n.
std::vector<float> Slopes(std::int64_t heads) {
  std::int64_t power = 1;
  while (power * 2 <= heads) power *= 2;
  const auto base = [](std::int64_t n) {
    return static_cast<float>(std::exp2(-std::exp2(-(std::log2(static_cast<double>(n)) - 3))));
  };
  std::vector<float> slopes;
  for (std::int64_t k = 1; k <= power; ++k) {
    slopes.push_back(std::pow(base(power), static_cast<float>(k)));
  }
  for (std::int64_t k = 1; std::ssize(slopes) < heads; k += 2) {
    slopes.push_back(std::pow(base(2 * power), static_cast<float>(k)));
  }
  return slopes;
}

// MPT's order of the same idea: the odd powers after the even ones.
std::vector<float> MptSlopes(std::int64_t heads) {
  constexpr double kLargestExponent = 8;
  std::int64_t power = 1;
  while (power < heads) power *= 2;
  std::vector<float> all, slopes;
  for (std::int64_t k = 1; k <= power; ++k) {
    all.push_back(static_cast<float>(
        std::exp2(-static_cast<double>(k) * kLargestExponent / static_cast<double>(power))));
  }
  if (power == heads) return all;
  for (const std::size_t first : {std::size_t{1}, std::size_t{0}}) {
    for (std::size_t k = first; k < all.size() && std::ssize(slopes) < heads; k += 2) {
      slopes.push_back(all[k]);
    }
  }
  return slopes;
}

Status AdjustBloom(const ConfigReader& reader, ModelConfig& config) {
  config.alibi.slopes = Slopes(config.heads);
  if (TRY(reader.Flag({"apply_residual_connection_post_layernorm", false}))) {
    config.residual = Residual::kOfNorms;
  }
  return {};
}

// Three layouts: the first with one key head (7B), the old one with a key head per head (RW), the
// new one with groups (40B and later).
Status AdjustFalcon(const ConfigReader& reader, ModelConfig& config) {
  const bool is_new = TRY(reader.Flag({"new_decoder_architecture", false}));
  const bool is_parallel = is_new || TRY(reader.Flag({"parallel_attn", true}));
  config.qkv_layout = QkvLayout::kFusedPerGroup;
  if (!is_new && TRY(reader.Flag({"multi_query", true}))) {
    config.qkv_layout = QkvLayout::kFusedBlocks;
    config.kv_heads = 1;
  } else if (!is_new) {
    config.kv_heads = config.heads;
  }
  config.residual = is_parallel ? Residual::kParallel : Residual::kSequential;
  const std::int64_t norms = TRY(reader.SizeOrNone("num_ln_in_parallel_attn", 0));
  if (is_new && norms != 1) {
    config.names.first_norm = "h.{}.ln_attn";
    config.names.second_norm = "h.{}.ln_mlp";
  } else if (is_parallel) {
    config.names.second_norm = "";
  }
  if (TRY(reader.Flag({"alibi", false}))) {
    config.alibi = {Slopes(config.heads), /*is_rounded_and_scaled=*/true};
    config.rotary = Rotary::kNone;
  }
  return {};
}

// What transformers computes, and no more: its class stores and ignores llm-foundry's other keys.
Status AdjustMpt(const ConfigReader& reader, ModelConfig& config) {
  static const JsonValue kEmpty(rapidjson::kObjectType);
  const JsonValue* object = TRY(reader.Object("attn_config"));
  const std::string source = fmt::format("{}: attn_config", reader.source());
  const ConfigReader attention(object == nullptr ? kEmpty : *object, source);
  if (TRY(attention.Flag({"qk_ln", false}))) {
    return attention.Unsupported("qk_ln", "is true: MPT's norms of queries and keys are missing");
  }
  if (!TRY(attention.Flag({"alibi", true}))) {
    return attention.Unsupported("alibi", "is false: MPT without ALiBi is missing");
  }
  if (TRY(attention.Flag({"prefix_lm", false}))) {
    return attention.Unsupported("prefix_lm", "is true: MPT's prefix attention is missing");
  }
  const std::string kind = TRY(attention.Text("attn_type")).value_or("multihead_attention");
  if (kind != "multihead_attention") {
    return attention.Unsupported("attn_type",
                                 fmt::format("is \"{}\": only multihead_attention is known", kind));
  }
  if (TRY(reader.Size({{"expansion_ratio"}, 4}, 1024)) != 4) {
    return reader.Unsupported("expansion_ratio", "is not 4, which is all that transformers builds");
  }
  if (FindMember(reader.json(), "logit_scale") != nullptr) {
    return reader.Unsupported("logit_scale", "is set: MPT's scaling of logits is missing");
  }
  config.alibi.slopes = MptSlopes(config.heads);
  config.clip_qkv = TRY(attention.PositiveOrNone("clip_qkv", 0));
  config.attention_scale =
      TRY(attention.Positive("softmax_scale")).value_or(config.attention_scale);
  return {};
}

}  // namespace

Family Bloom() {
  return {
      .model_type = "bloom",
      .architecture = "BloomForCausalLM",
      .vocab_size = {{"vocab_size"}, 250880},
      .hidden_size = {{"n_embed", "hidden_size"}, 64},
      .layers = {{"n_layer", "num_hidden_layers"}, 2},
      .heads = {{"n_head", "num_attention_heads"}, 8},
      .max_positions = {{"seq_length"}, 2048},
      .norm_epsilon_key = "layer_norm_epsilon",
      .qkv_layout = QkvLayout::kFusedPerGroup,
      .qkv_bias = {"", true},
      .attention_output_bias = {"", true},
      .mlp_bias = {"", true},
      .activation_keys = {},
      .activation = "gelu_new",
      .tie_embeddings = true,
      .names = {.prefix = "transformer.",
                .embedding = "word_embeddings",
                .embedding_norm = "word_embeddings_layernorm",
                .first_norm = "h.{}.input_layernorm",
                .fused_qkv = "h.{}.self_attention.query_key_value",
                .attention_output = "h.{}.self_attention.dense",
                .second_norm = "h.{}.post_attention_layernorm",
                .up = "h.{}.mlp.dense_h_to_4h",
                .down = "h.{}.mlp.dense_4h_to_h",
                .final_norm = "ln_f",
                .heads = {"lm_head"}},
      .adjust = AdjustBloom,
  };
}

Family Falcon() {
  return {
      .model_type = "falcon",
      .architecture = "FalconForCausalLM",
      .vocab_size = {{"vocab_size"}, 65024},
      .hidden_size = {{"n_embed", "hidden_size"}, 4544},
      .layers = {{"num_hidden_layers", "n_layer"}, 32},
      .heads = {{"num_attention_heads", "n_head"}, 71},
      .kv_heads = {{"num_kv_heads"}},
      .intermediate_size = {{"ffn_hidden_size"}},
      .max_positions = {{"max_position_embeddings"}, 2048},
      .norm_epsilon_key = "layer_norm_epsilon",
      .qkv_bias = {"bias", false},
      .attention_output_bias = {"bias", false},
      .mlp_bias = {"bias", false},
      .activation_keys = {"activation"},
      .activation = "gelu",
      .rotary = Rotary::kHalf,
      .tie_embeddings = true,
      .names = {.prefix = "transformer.",
                .embedding = "word_embeddings",
                .first_norm = "h.{}.input_layernorm",
                .fused_qkv = "h.{}.self_attention.query_key_value",
                .attention_output = "h.{}.self_attention.dense",
                .second_norm = "h.{}.post_attention_layernorm",
                .up = "h.{}.mlp.dense_h_to_4h",
                .down = "h.{}.mlp.dense_4h_to_h",
                .final_norm = "ln_f",
                .heads = {"lm_head"}},
      .adjust = AdjustFalcon,
  };
}

Family Mpt() {
  return {
      .model_type = "mpt",
      .architecture = "MptForCausalLM",
      .vocab_size = {{"vocab_size"}, 50368},
      .hidden_size = {{"d_model", "hidden_size"}, 2048},
      .layers = {{"n_layers", "num_hidden_layers"}, 24},
      .heads = {{"n_heads", "num_attention_heads"}, 16},
      .max_positions = {{"max_seq_len"}, 2048},
      .norm_bias = false,
      .norm_epsilon_key = "layer_norm_epsilon",
      .qkv_layout = QkvLayout::kFusedBlocks,
      .activation_keys = {},
      .activation = "gelu",
      .tie_embeddings = true,
      .names = {.prefix = "transformer.",
                .embedding = "wte",
                .first_norm = "blocks.{}.norm_1",
                .fused_qkv = "blocks.{}.attn.Wqkv",
                .attention_output = "blocks.{}.attn.out_proj",
                .second_norm = "blocks.{}.norm_2",
                .up = "blocks.{}.ffn.up_proj",
                .down = "blocks.{}.ffn.down_proj",
                .final_norm = "norm_f",
                .heads = {"lm_head"}},
      .adjust = AdjustMpt,
  };
}

}  // namespace couplingd
