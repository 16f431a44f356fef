#include "probes/model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_EQ(neox.rotary_dim, 24);
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

TEST(ModelConfig, RotaryParametersOfTheDictWinOverTheTopLevel) {
  const ModelConfig config = Parse(R"({"model_type": "gpt_neox", "rotary_pct": 0.5,
      "rotary_emb_base": 500,
      "rope_parameters": {"rope_type": "default", "rope_theta": 700}})")
                                 .value();
  EXPECT_EQ(config.rope_theta, 700);
  EXPECT_EQ(config.rotary_dim, 48);
}

TEST(ModelConfig, ReadsTheLegacySpellingOfRopeScaling) {
  const ModelConfig config = Parse(R"({"model_type": "llama", "rope_theta": 5000,
      "rope_scaling": {"type": "linear", "factor": 2}})")
                                 .value();
  EXPECT_EQ(config.rope_scaling.kind, RopeScalingKind::kLinear);
  EXPECT_EQ(config.rope_scaling.factor, 2);
  EXPECT_EQ(config.rope_theta, 5000);
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
              AllOf(HasSubstr("\"mamba\""), HasSubstr("llama, gpt2, gpt_neox")));
}

TEST(ModelConfig, RefusesWhatItWouldComputeWrongly) {
  EXPECT_THAT(MessageOf(R"({"model_type": "llama", "rope_scaling": {"rope_type": "yarn",
                            "factor": 4}})"),
              HasSubstr("rope_type \"yarn\""));
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
  EXPECT_TRUE(IsKnownBuffer("transformer.h.0.attn.bias"));
  EXPECT_FALSE(IsKnownBuffer("transformer.h.0.attn.c_attn.bias"));
}

}  // namespace
}  // namespace couplingd
