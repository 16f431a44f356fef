#include "probes/model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace couplingd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Result<ModelConfig> Parse(const std::string& text) {
  const JsonDocument document = TRY(ParseJson(text, "config.json"));
  return ParseModelConfig(document, "config.json");
}

std::string MessageOf(const std::string& text) {
  const auto config = Parse(text);
  return config ? "accepted" : config.error().message;
}

TEST(ModelConfig, MissingKeysTakeTheFamilysDefaults) {
  const ModelConfig llama = Parse(R"({"model_type": "llama"})").value();
  EXPECT_EQ(llama.vocab_size, 32000);
  EXPECT_EQ(llama.kv_heads, 32);
  EXPECT_EQ(llama.norm_epsilon, 1e-6);
  EXPECT_FALSE(llama.tie_embeddings);
  const ModelConfig gpt2 = Parse(R"({"architectures": ["GPT2LMHeadModel"]})").value();
  EXPECT_EQ(gpt2.intermediate_size, 4 * 768);
  EXPECT_TRUE(gpt2.tie_embeddings);
  EXPECT_EQ(gpt2.activation, Activation::kGeluTanh);
  const ModelConfig neox = Parse(R"({"model_type": "gpt_neox"})").value();
  EXPECT_EQ(neox.ropes[0].dim, 24);
  EXPECT_EQ(neox.residual, Residual::kParallel);
}

TEST(ModelConfig, CountsTheParametersOfPublishedModels) {
  // GPT-2 small and Pythia-70M as their model cards give them, and SmolLM2-135M.
  EXPECT_EQ(ParameterCount(Parse(R"({"model_type": "gpt2"})").value()), 124439808);
  EXPECT_EQ(ParameterCount(Parse(R"({"model_type": "gpt_neox", "vocab_size": 50304,
      "hidden_size": 512, "num_hidden_layers": 6, "num_attention_heads": 8,
      "intermediate_size": 2048})")
                               .value()),
            70426624);
  EXPECT_EQ(ParameterCount(Parse(R"({"model_type": "llama", "vocab_size": 49152,
      "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9,
      "num_key_value_heads": 3, "intermediate_size": 1536, "tie_word_embeddings": true})")
                               .value()),
            134515008);
}

struct Published {
  std::string config;
  std::int64_t parameters;  // that transformers' own class counts
};

TEST(ModelConfig, CountsTheParametersOfEveryFamilyAsTransformersDoes) {
  const Published models[] = {
      {R"({"model_type": "gpt_neo", "hidden_size": 768, "num_layers": 12, "num_heads": 12,
           "attention_types": [[["global", "local"], 6]]})",
       125198592},
      {R"({"model_type": "gptj"})", 6050882784},
      {R"({"model_type": "opt", "hidden_size": 1024, "num_hidden_layers": 24, "ffn_dim": 4096,
           "num_attention_heads": 16, "word_embed_proj_dim": 512,
           "do_layer_norm_before": false})",
       331196416},
      {R"({"model_type": "bloom", "n_embed": 1024, "n_layer": 24, "n_head": 16})", 559214592},
      {R"({"model_type": "falcon"})", 6921720704},
      {R"({"model_type": "mpt", "d_model": 4096, "n_heads": 32, "n_layers": 32,
           "vocab_size": 50432})",
       6649286656},
      {R"({"model_type": "mistral"})", 7241732096},
      {R"({"model_type": "mixtral"})", 46702792704},
      {R"({"model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864,
           "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2,
           "tie_word_embeddings": true})",
       494032768},
      {R"({"model_type": "qwen3_moe", "num_hidden_layers": 48, "head_dim": 128})", 30532122624},
      {R"({"model_type": "olmo", "hidden_size": 2048, "intermediate_size": 8192,
           "num_hidden_layers": 16, "num_attention_heads": 16, "tie_word_embeddings": true})",
       1176764416},
      {R"({"model_type": "olmo2"})", 6888624128},
      {R"({"model_type": "phi", "hidden_size": 2560, "intermediate_size": 10240,
           "num_hidden_layers": 32})",
       2779683840},
      {R"({"model_type": "phi3"})", 3821079552},
      {R"({"model_type": "gemma2"})", 2614341888},
      {R"({"model_type": "gemma3_text", "vocab_size": 262144, "hidden_size": 1152,
           "intermediate_size": 6912, "num_attention_heads": 4, "num_key_value_heads": 1})",
       999885952},
      {R"({"model_type": "stablelm"})", 2795443200},
      {R"({"model_type": "starcoder2"})", 3030371328},
  };
  for (const Published& model : models) {
    const auto config = Parse(model.config);
    ASSERT_TRUE(config) << config.error().Text();
    EXPECT_EQ(ParameterCount(*config), model.parameters) << model.config;
  }
}

TEST(ModelConfig, EveryFamilyReadsAnEmptyConfiguration) {
  for (const std::string_view type : KnownModelTypes()) {
    const auto config = Parse(R"({"model_type": ")" + std::string(type) + R"("})");
    ASSERT_TRUE(config) << config.error().Text();
    EXPECT_EQ(config->layer.size(), static_cast<std::size_t>(config->layers)) << type;
    for (const LayerConfig& layer : config->layer) {
      EXPECT_LT(layer.rope, std::max<std::size_t>(1, config->ropes.size())) << type;
    }
  }
}

// Whatever stands in a field, the answer is a model that can be listed or an error of its own.
TEST(ModelConfig, OddValuesAreReadOrRefusedInEveryFamily) {
  const std::string keys[] = {"vocab_size",
                              "hidden_size",
                              "n_embd",
                              "d_model",
                              "n_embed",
                              "num_hidden_layers",
                              "n_layer",
                              "num_layers",
                              "n_layers",
                              "num_attention_heads",
                              "n_head",
                              "num_heads",
                              "n_heads",
                              "num_key_value_heads",
                              "num_kv_heads",
                              "head_dim",
                              "intermediate_size",
                              "n_inner",
                              "ffn_dim",
                              "ffn_hidden_size",
                              "max_position_embeddings",
                              "rotary_dim",
                              "rope_theta",
                              "partial_rotary_factor",
                              "rope_scaling",
                              "rope_parameters",
                              "sliding_window",
                              "window_size",
                              "max_window_layers",
                              "layer_types",
                              "attention_types",
                              "attn_config",
                              "clip_qkv",
                              "num_local_experts",
                              "num_experts",
                              "num_experts_per_tok",
                              "moe_intermediate_size",
                              "decoder_sparse_step",
                              "mlp_only_layers",
                              "word_embed_proj_dim",
                              "query_pre_attn_scalar",
                              "attn_logit_softcapping",
                              "final_logit_softcapping",
                              "num_kv_shared_layers",
                              "per_layer_config",
                              "global_head_dim",
                              "hidden_size_per_layer_input",
                              "vocab_size_per_layer_input",
                              "tie_word_embeddings",
                              "hidden_act"};
  const std::string values[] = {"0",
                                "-1",
                                "1",
                                "3",
                                "7",
                                "4096",
                                "1048576",
                                "1e300",
                                "0.3",
                                "4611686018427387904",
                                "null",
                                "true",
                                "\"x\"",
                                "[]",
                                "[-1]",
                                "[[[], 1]]",
                                "{}",
                                R"({"type": "linear"})",
                                R"({"full_attention": {"rope_theta": -1}})",
                                R"({"1": {"head_dim": 1048576}})"};
  std::size_t accepted = 0, refused = 0;
  for (const std::string_view type : KnownModelTypes()) {
    for (const std::string& key : keys) {
      for (const std::string& value : values) {
        const std::string text = R"({"model_type": ")" + std::string(type) +
                                 R"(", "enable_moe_block": true, "top_k_experts": 1, ")" + key +
                                 "\": " + value + "}";
        const auto config = Parse(text);
        if (!config) {
          EXPECT_NE(config.error().kind, ErrorKind::kInternal) << text;
          EXPECT_THAT(config.error().message, HasSubstr("config.json")) << text;
          ++refused;
          continue;
        }
        ++accepted;
        EXPECT_GT(ParameterCount(*config), 0) << text;
        EXPECT_EQ(std::ssize(config->layer), config->layers) << text;
      }
    }
  }
  EXPECT_GT(accepted, refused);
  EXPECT_GT(refused, 4000u);
}

std::vector<std::int64_t> Windows(const std::string& text) {
  std::vector<std::int64_t> windows;
  const auto config = Parse(text);
  EXPECT_TRUE(config) << config.error().Text();
  for (const LayerConfig& layer : config->layer) windows.push_back(layer.window);
  return windows;
}

TEST(ModelConfig, WindowsFollowEachFamilysRule) {
  using Layers = std::vector<std::int64_t>;
  const auto with = [](const std::string& type, const std::string& fields) {
    return Windows(R"({"model_type": ")" + type + R"(", "num_hidden_layers": 4)" + fields + "}");
  };
  EXPECT_EQ(with("mistral", ""), (Layers{4096, 4096, 4096, 4096}));
  EXPECT_EQ(with("mistral", R"(, "sliding_window": null)"), (Layers{0, 0, 0, 0}));
  EXPECT_EQ(with("mixtral", ""), (Layers{0, 0, 0, 0}));
  EXPECT_EQ(with("gemma2", R"(, "sliding_window": 9)"), (Layers{9, 0, 9, 0}));
  EXPECT_EQ(with("gemma3_text", R"(, "sliding_window": 9, "sliding_window_pattern": 3)"),
            (Layers{9, 9, 0, 9}));
  EXPECT_EQ(with("olmo3", ""), (Layers{4096, 4096, 4096, 0}));
  EXPECT_EQ(with("qwen2", R"(, "max_window_layers": 1)"), (Layers{0, 0, 0, 0}));
  EXPECT_EQ(with("qwen2", R"(, "use_sliding_window": true, "max_window_layers": 1)"),
            (Layers{0, 4096, 4096, 4096}));
  EXPECT_EQ(with("gpt_neo", R"(, "num_layers": 4, "window_size": 7,
                                "attention_types": [[["global", "local"], 2]])"),
            (Layers{0, 7, 0, 7}));
  EXPECT_EQ(with("gemma2", R"(, "sliding_window": 9, "layer_types": ["full_attention",
                 "full_attention", "full_attention", "sliding_attention"])"),
            (Layers{0, 0, 0, 9}));
}

TEST(ModelConfig, RefusesLayerTypesThatDoNotFit) {
  EXPECT_THAT(MessageOf(R"({"model_type": "gemma2", "layer_types": ["full_attention"]})"),
              HasSubstr("field \"layer_types\" must be a list with one name for each of the 26"));
  EXPECT_THAT(MessageOf(R"({"model_type": "olmo3", "num_hidden_layers": 1,
                            "layer_types": ["linear_attention"]})"),
              HasSubstr("names \"linear_attention\""));
  EXPECT_THAT(MessageOf(R"({"model_type": "gpt_neo", "attention_types": [[["global"], 5]]})"),
              HasSubstr("field \"attention_types\" must give one of"));
  EXPECT_THAT(MessageOf(R"({"model_type": "gpt_neo", "attention_types": [[[], 5]]})"),
              HasSubstr("field \"attention_types\""));
}

TEST(ModelConfig, Gemma4LayersDifferInHeadsAndShareKeys) {
  const ModelConfig config = Parse(R"({"model_type": "gemma4_text", "num_hidden_layers": 6,
      "num_kv_shared_layers": 2, "use_double_wide_mlp": true, "attention_k_eq_v": true,
      "num_global_key_value_heads": 2, "layer_types": ["full_attention", "sliding_attention",
      "full_attention", "sliding_attention", "sliding_attention", "sliding_attention"]})")
                                 .value();
  EXPECT_EQ(config.layer[2].head_dim, 512);
  EXPECT_EQ(config.layer[2].kv_heads, 2);
  EXPECT_EQ(config.layer[2].ValueRows(), 0);
  EXPECT_EQ(config.layer[3].head_dim, 256);
  EXPECT_EQ(config.layer[3].window, 512);
  EXPECT_EQ(config.layer[4].keys_of, 3u);
  EXPECT_EQ(config.layer[4].intermediate_size, 2 * 9216);
  EXPECT_EQ(config.layer[5].keys_of, 2u);  // the last layer is full, whatever the file says
  EXPECT_EQ(config.ropes[0].dim, 512);
  EXPECT_EQ(config.ropes[0].scaling.rotating_pairs, 64);
  EXPECT_THAT(MessageOf(R"({"model_type": "gemma4_text", "num_kv_shared_layers": 30})"),
              HasSubstr("field \"num_kv_shared_layers\" is 30, outside 0 to 29"));
  EXPECT_THAT(MessageOf(R"({"model_type": "gemma4_text", "num_hidden_layers": 3,
                            "num_kv_shared_layers": 2})"),
              HasSubstr("leaves layer 2 no earlier layer of its kind"));
  EXPECT_THAT(MessageOf(R"({"model_type": "gemma4_text", "enable_moe_block": true})"),
              HasSubstr("num_experts, top_k_experts or moe_intermediate_size is missing"));
  EXPECT_THAT(MessageOf(R"({"model_type": "gemma4_text", "per_layer_config": {"77": {}}})"),
              HasSubstr("field \"77\" is not the number of a layer"));
}

TEST(ModelConfig, RefusesMoreExpertsThanMemoryHasRoomToList) {
  EXPECT_THAT(MessageOf(R"({"model_type": "mixtral", "num_hidden_layers": 4096,
                            "num_local_experts": 4096})"),
              HasSubstr("more than any model has"));
}

TEST(ModelConfig, EarlyGemmaFilesMeanTheTanhApproximation) {
  const auto activation = [](const std::string& fields) {
    return Parse(R"({"model_type": "gemma")" + fields + "}").value().activation;
  };
  EXPECT_EQ(activation(""), Activation::kGeluTanh);
  EXPECT_EQ(activation(R"(, "hidden_act": "gelu")"), Activation::kGeluTanh);
  EXPECT_EQ(activation(R"(, "hidden_act": "gelu", "hidden_activation": null)"),
            Activation::kGeluTanh);
  EXPECT_EQ(activation(R"(, "hidden_activation": "gelu")"), Activation::kGelu);
}

TEST(ModelConfig, LongRopeWantsAFactorForEveryPair) {
  const auto with = [](const std::string& scaling) {
    return MessageOf(R"({"model_type": "phi3", "hidden_size": 64, "num_attention_heads": 8,
                         "rope_scaling": {"type": "su", )" +
                     scaling + "}}");
  };
  EXPECT_EQ(with(R"("short_factor": [1, 1, 1, 1], "long_factor": [2, 2, 3, 4])"), "accepted");
  EXPECT_THAT(with(R"("short_factor": [1, 1, 1, 1], "long_factor": [2, 2, 3])"),
              HasSubstr("field \"long_factor\" must list 4 numbers"));
  EXPECT_THAT(with(R"("short_factor": [1, 1, 1, -1], "long_factor": [2, 2, 3, 4])"),
              HasSubstr("field \"short_factor\" must hold positive numbers"));
  EXPECT_THAT(with(R"("short_factor": "long")"), HasSubstr("must be a list of numbers"));
}

TEST(ModelConfig, SaysWhatIsMissingForFamiliesThatItKnowsAndDoesNotCompute) {
  EXPECT_THAT(MessageOf(R"({"model_type": "deepseek_v3"})"),
              HasSubstr("multi-head latent attention"));
  EXPECT_THAT(MessageOf(R"({"model_type": "gemma3", "text_config": {}, "vision_config": {}})"),
              HasSubstr("the encoders of images and sound are missing"));
  EXPECT_THAT(MessageOf(R"({"model_type": "mpt", "attn_config": {"qk_ln": true}})"),
              HasSubstr("attn_config: field \"qk_ln\" is true"));
  EXPECT_THAT(MessageOf(R"({"model_type": "mpt", "attn_config":
                            {"attn_type": "grouped_query_attention"}})"),
              HasSubstr("\"grouped_query_attention\""));
  EXPECT_THAT(MessageOf(R"({"model_type": "gemma3_text", "use_bidirectional_attention": true})"),
              HasSubstr("use_bidirectional_attention"));
}

TEST(ModelConfig, RotaryParametersOfTheDictWinOverTheTopLevel) {
  const ModelConfig config = Parse(R"({"model_type": "gpt_neox", "rotary_pct": 0.5,
      "rotary_emb_base": 500,
      "rope_parameters": {"rope_type": "default", "rope_theta": 700}})")
                                 .value();
  EXPECT_EQ(config.ropes[0].theta, 700);
  EXPECT_EQ(config.ropes[0].dim, 48);
}

TEST(ModelConfig, ReadsTheLegacySpellingOfRopeScaling) {
  const ModelConfig config = Parse(R"({"model_type": "llama", "rope_theta": 5000,
      "rope_scaling": {"type": "linear", "factor": 2}})")
                                 .value();
  EXPECT_EQ(config.ropes[0].scaling.kind, RopeScalingKind::kLinear);
  EXPECT_EQ(config.ropes[0].scaling.factor, 2);
  EXPECT_EQ(config.ropes[0].theta, 5000);
}

TEST(ModelConfig, RefusesImpossibleSizesByTheFieldsName) {
  const auto with = [](const std::string& field) {
    return MessageOf(R"({"model_type": "llama", )" + field + "}");
  };
  EXPECT_THAT(with(R"("hidden_size": -4096)"), HasSubstr("field \"hidden_size\" is -4096"));
  EXPECT_THAT(with(R"("num_hidden_layers": 0)"), HasSubstr("field \"num_hidden_layers\" is 0"));
  EXPECT_THAT(with(R"("vocab_size": 16777217)"), HasSubstr("field \"vocab_size\" is 16777217"));
  EXPECT_THAT(with(R"("intermediate_size": 4611686018427387904)"),
              HasSubstr("field \"intermediate_size\""));
  EXPECT_THAT(with(R"("num_attention_heads": 7)"),
              HasSubstr("field \"num_attention_heads\" is 7, which does not divide"));
  EXPECT_THAT(with(R"("num_key_value_heads": 5)"),
              HasSubstr("field \"num_key_value_heads\" is 5, which does not divide"));
  EXPECT_THAT(with(R"("head_dim": 63)"), HasSubstr("field \"head_dim\""));
  EXPECT_THAT(with(R"("hidden_size": "big")"), HasSubstr("\"hidden_size\" must be"));
  EXPECT_THAT(with(R"("rms_norm_eps": 0)"), HasSubstr("field \"rms_norm_eps\""));
  EXPECT_THAT(with(R"("rms_norm_eps": NaN)"), HasSubstr("field \"rms_norm_eps\""));
  EXPECT_THAT(with(R"("rope_theta": -1)"), HasSubstr("field \"rope_theta\""));
}

TEST(ModelConfig, RefusesAnUnknownFamilyAndListsTheKnown) {
  const auto config = Parse(R"({"model_type": "mamba"})");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(config.error().Text(),
              AllOf(HasSubstr("\"mamba\""), HasSubstr("llama, mistral, mixtral")));
}

TEST(ModelConfig, RefusesWhatItWouldComputeWrongly) {
  EXPECT_THAT(MessageOf(R"({"model_type": "llama", "rope_scaling": {"rope_type": "spiral",
                            "factor": 4}})"),
              HasSubstr("rope_type \"spiral\""));
  EXPECT_THAT(MessageOf(R"({"model_type": "llama", "hidden_act": "gated_snake"})"),
              HasSubstr("\"gated_snake\""));
  EXPECT_THAT(MessageOf(R"({"model_type": "llama", "quantization_config": {}})"),
              HasSubstr("quantization_config"));
  EXPECT_THAT(MessageOf(R"({"model_type": "gpt2", "add_cross_attention": true})"),
              HasSubstr("add_cross_attention"));
}

TEST(ModelConfig, AddsAPrefixAndStripsWrappersInTensorNames) {
  const ModelConfig gpt2 = Parse(R"({"model_type": "gpt2"})").value();
  EXPECT_EQ(CanonicalTensorName(gpt2, "h.3.ln_1.gamma"), "transformer.h.3.ln_1.weight");
  EXPECT_EQ(CanonicalTensorName(gpt2, "module.transformer.wte.weight"), "transformer.wte.weight");
  EXPECT_EQ(CanonicalTensorName(gpt2, "lm_head.weight"), "lm_head.weight");
  const ModelConfig opt = Parse(R"({"model_type": "opt"})").value();
  EXPECT_EQ(CanonicalTensorName(opt, "decoder.layers.1.fc1.weight"),
            "model.decoder.layers.1.fc1.weight");
  EXPECT_EQ(CanonicalTensorName(opt, "layers.1.fc1.weight"), "model.decoder.layers.1.fc1.weight");
  EXPECT_TRUE(IsKnownBuffer("transformer.h.0.attn.bias"));
  EXPECT_FALSE(IsKnownBuffer("transformer.h.0.attn.c_attn.bias"));
}

}  // namespace
}  // namespace couplingd
