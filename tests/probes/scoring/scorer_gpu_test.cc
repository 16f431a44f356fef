#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "probes/model/rotary.h"
#include "probes/scoring/scorer.h"
#include "tests/probes/model/fixtures.h"
#include "tests/probes/scoring/tree_of_requests.h"

namespace couplingd {
namespace {

constexpr TokenId kVocabulary = 53;

bool GoOn(std::size_t, std::size_t) { return true; }

Result<Place> CudaPlace(const std::string& dtype) {
  return ChoosePlace({.device = "cuda",
                      .dtype = dtype,
                      .cuda_library = COUPLINGD_BINARY_DIR "/libcouplingd_cuda.so"});
}

std::vector<ContinuationScore> ScoresOf(Decoder& decoder, std::span<const ScoringRequest> requests,
                                        int budget) {
  const ScoringPlan plan =
      PlanScoring(requests, budget, LongestShortText(decoder.config())).value();
  return ScoreRequests(decoder, plan, GoOn).value();
}

class EveryFamilyOnCuda : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Scorer, EveryFamilyOnCuda, testing::ValuesIn(FixtureNames()),
                         [](const auto& info) { return info.param; });

TEST_P(EveryFamilyOnCuda, IsScoredAsOnTheCpu) {
  const auto place = CudaPlace("fp32");
  if (!place) GTEST_SKIP() << place.error().Text();
  const auto requests = TreeOfRequests(3, kVocabulary);
  const LoadedDecoder here = LoadFixture(GetParam());
  const LoadedDecoder there = LoadFixture(GetParam(), *place);
  const auto expected = ScoresOf(*here.decoder, requests, 4096);
  for (const int budget : {5, 40, 4096}) {
    const auto scores = ScoresOf(*there.decoder, requests, budget);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const double tokens =
          static_cast<double>(requests[i].tokens.size()) - requests[i].scored_from;
      EXPECT_NEAR(scores[i].log_likelihood, expected[i].log_likelihood, 3e-5 * tokens);
      EXPECT_EQ(scores[i].is_greedy, expected[i].is_greedy);
    }
  }
}

TEST_P(EveryFamilyOnCuda, IsScoredInHalfPrecisionNearlyAsOnTheCpu) {
  const auto requests = TreeOfRequests(3, kVocabulary);
  const auto expected = ScoresOf(*LoadFixture(GetParam()).decoder, requests, 4096);
  for (const auto& [type, tolerance] : {std::pair{"fp16", 0.04}, {"bf16", 0.15}}) {
    const auto place = CudaPlace(type);
    if (!place) GTEST_SKIP() << place.error().Text();
    const LoadedDecoder there = LoadFixture(GetParam(), *place);
    for (const int budget : {40, 4096}) {
      const auto scores = ScoresOf(*there.decoder, requests, budget);
      for (std::size_t i = 0; i < requests.size(); ++i) {
        const double tokens =
            static_cast<double>(requests[i].tokens.size()) - requests[i].scored_from;
        EXPECT_NEAR(scores[i].log_likelihood, expected[i].log_likelihood, tolerance * tokens)
            << type;
      }
    }
  }
}

class EveryTypeOnCuda : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Scorer, EveryTypeOnCuda, testing::Values("fp32", "bf16", "fp16"),
                         [](const auto& info) { return info.param; });

TEST_P(EveryTypeOnCuda, GivesBitEqualScoresInAnyOrderAndAgain) {
  const auto place = CudaPlace(GetParam());
  if (!place) GTEST_SKIP() << place.error().Text();
  const LoadedDecoder loaded = LoadFixture("llama_gqa", *place);
  auto requests = TreeOfRequests(5, kVocabulary);
  const auto scores = ScoresOf(*loaded.decoder, requests, 64);
  for (int round = 0; round < 3; ++round) {
    std::ranges::shuffle(requests, std::mt19937(static_cast<unsigned>(round)));
    for (const ContinuationScore& score : ScoresOf(*loaded.decoder, requests, 64)) {
      EXPECT_TRUE(std::ranges::any_of(scores, [&](const ContinuationScore& before) {
        return before.log_likelihood == score.log_likelihood;
      })) << score.log_likelihood;
    }
  }
}

}  // namespace
}  // namespace couplingd
