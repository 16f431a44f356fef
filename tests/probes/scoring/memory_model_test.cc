#include "probes/scoring/memory_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "probes/scoring/planner.h"

namespace couplingd {
namespace {

// SmolLM2-135M, as its config.json says.
ModelConfig SmallLlama() {
  const char text[] = R"({"model_type": "llama", "vocab_size": 49152, "hidden_size": 576,
    "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
    "intermediate_size": 1536, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
    "hidden_act": "silu", "tie_word_embeddings": true})";
  return ParseModelConfig(ParseJson(text, "config.json").value(), "config.json").value();
}

// `count` sequences that share their first `shared` of `length` tokens.
std::vector<ScoringRequest> Requests(int count, int shared, int length) {
  std::vector<ScoringRequest> requests;
  for (int i = 0; i < count; ++i) {
    ScoringRequest request{std::vector<TokenId>(static_cast<std::size_t>(shared), 1), shared};
    for (int k = shared; k < length; ++k) request.tokens.push_back(2 + (i * length + k) % 40000);
    requests.push_back(std::move(request));
  }
  return requests;
}

MemoryEstimate Estimate(const std::vector<ScoringRequest>& requests, int budget,
                        const MemoryPlace& place = {}) {
  return EstimateMemory(SmallLlama(), PlanScoring(requests, budget).value().forward, place);
}

TEST(MemoryModel, CountsWeightsInTheComputeType) {
  const auto requests = Requests(4, 10, 30);
  EXPECT_EQ(Estimate(requests, 2048).weights, 4 * 134515008);
  EXPECT_EQ(Estimate(requests, 2048, {.element_bytes = 2, .is_cuda = true}).weights, 2 * 134515008);
}

TEST(MemoryModel, CountsKeysAndValuesOnlyOfWhatOutlivesItsPack) {
  EXPECT_EQ(Estimate(Requests(4, 10, 30), 2048).kept, 0);
  // Two packs and more: the ten shared tokens stay, 3 heads · 64 · keys and values · 30 layers.
  EXPECT_EQ(Estimate(Requests(8, 10, 31), 60).kept, 4 * 2 * 192 * 30 * 10);
}

TEST(MemoryModel, NeedsLessForASmallerTokenBudget) {
  const auto requests = Requests(200, 20, 60);
  const auto running = [](const MemoryEstimate& of) {
    return of.kept + of.activations + of.workspace;
  };
  EXPECT_LT(running(Estimate(requests, 512)), running(Estimate(requests, 4096)));
  EXPECT_LT(Estimate(requests, 512).activations, Estimate(requests, 4096).activations / 7);
}

TEST(MemoryModel, NeedsNoMoreForALargerVocabularyPerRow) {
  // What the plan reads does not enter: logits exist tile by tile.
  auto few = Requests(50, 20, 60), many = few;
  for (ScoringRequest& request : few) request.scored_from = 59;
  for (ScoringRequest& request : many) request.scored_from = 1;
  EXPECT_EQ(Estimate(few, 2048).Peak(), Estimate(many, 2048).Peak());
}

TEST(MemoryModel, SaysWhatGoesWhere) {
  EXPECT_THAT(Estimate(Requests(4, 10, 30), 2048).Text(),
              testing::AllOf(testing::HasSubstr("weights 514 MiB"), testing::HasSubstr("in all")));
}

}  // namespace
}  // namespace couplingd
