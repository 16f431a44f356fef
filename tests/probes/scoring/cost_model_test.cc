#include "probes/scoring/cost_model.h"

#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "probes/scoring/planner.h"

namespace couplingd {
namespace {

ModelConfig Read(const std::string& text) {
  return ParseModelConfig(ParseJson(text, "config.json").value(), "config.json").value();
}

std::string Small(const std::string& more) {
  return R"({"vocab_size": 100, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2,
    "num_key_value_heads": 1, "intermediate_size": 12, "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": false, )" +
         more + "}";
}

// Queries and output 8 · 8, keys and values 4 · 8, three projections of the MLP 8 · 12.
constexpr double kAttentionWeights = 2 * 8 * 8 + 2 * 4 * 8;
constexpr double kMlpWeights = 3 * 8 * 12;

double CostOf(const ModelConfig& config, const std::vector<ScoringRequest>& requests,
              int token_budget = 64) {
  return CostModel(config).Of(PlanScoring(requests, token_budget).value().forward);
}

TEST(CostModel, CountsProjectionsAttentionAndTheRowsThatAreRead) {
  const ModelConfig config = Read(Small(R"("model_type": "llama")"));
  // Four tokens go in, which see 1, 2, 3 and 4 keys; two rows are read.
  const double expected = 4 * 2 * 3 * (kAttentionWeights + kMlpWeights) +
                          (1 + 2 + 3 + 4) * 4.0 * 8 * 3 + 2 * 2 * 100 * 8;
  EXPECT_DOUBLE_EQ(CostOf(config, {{{1, 2, 3, 4, 5}, 3}}), expected);
}

TEST(CostModel, CountsWhatIsSharedOnceAndIsTheSameInAnyPacks) {
  const ModelConfig config = Read(Small(R"("model_type": "llama")"));
  const double one = CostOf(config, {{{1, 2, 3, 4, 5}, 4}});
  EXPECT_DOUBLE_EQ(CostOf(config, {{{1, 2, 3, 4, 5}, 4}, {{1, 2, 3, 4, 6}, 4}}), one);
  const double other = CostOf(config, {{{1, 2, 3, 4, 5}, 4}, {{1, 2, 7, 8, 6}, 4}});
  EXPECT_GT(other, one);
  EXPECT_DOUBLE_EQ(CostOf(config, {{{1, 2, 3, 4, 5}, 4}, {{1, 2, 7, 8, 6}, 4}}, 2), other);
}

TEST(CostModel, AWindowBoundsTheKeysThatATokenSees) {
  const ModelConfig config = Read(Small(R"("model_type": "mistral", "sliding_window": 2)"));
  const double expected = 4 * 2 * 3 * (kAttentionWeights + kMlpWeights) +
                          (1 + 2 + 2 + 2) * 4.0 * 8 * 3 + 1 * 2 * 100 * 8;
  EXPECT_DOUBLE_EQ(CostOf(config, {{{1, 2, 3, 4, 5}, 4}}), expected);
}

TEST(CostModel, ATokenGoesThroughItsOwnExpertsOnly) {
  const ModelConfig config = Read(Small(
      R"("model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2, "sliding_window": null)"));
  const double router = 8 * 8;
  const double expected =
      2 * 3 * (kAttentionWeights + router + 2 * kMlpWeights) + 4.0 * 8 * 3 + 2 * 100 * 8;
  EXPECT_DOUBLE_EQ(CostOf(config, {{{1, 2}, 1}}), expected);
}

}  // namespace
}  // namespace couplingd
