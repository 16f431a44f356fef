#include "probes/scoring/scorer.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/files.h"
#include "probes/model/rotary.h"
#include "probes/model/row_tiles.h"
#include "tests/probes/model/fixtures.h"
#include "tests/probes/scoring/tree_of_requests.h"

namespace couplingd {
namespace {

bool GoOn(std::size_t, std::size_t) { return true; }

// One pass per request, log-softmax in double.
ContinuationScore Naive(Decoder& decoder, const ScoringRequest& request) {
  const std::size_t vocabulary = static_cast<std::size_t>(decoder.config().vocab_size);
  const auto logits =
      decoder.Logits(std::span(request.tokens).first(request.tokens.size() - 1)).value();
  ContinuationScore score{.is_greedy = true};
  for (std::size_t k = static_cast<std::size_t>(request.scored_from); k < request.tokens.size();
       ++k) {
    const float* row = logits.data() + (k - 1) * vocabulary;
    double sum = 0;
    for (std::size_t i = 0; i < vocabulary; ++i) sum += std::exp(static_cast<double>(row[i]));
    score.log_likelihood += row[request.tokens[k]] - std::log(sum);
    score.is_greedy =
        score.is_greedy && std::max_element(row, row + vocabulary) - row == request.tokens[k];
  }
  return score;
}

class EveryFamily : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Scorer, EveryFamily, testing::ValuesIn(FixtureNames()),
                         [](const auto& info) { return info.param; });

TEST_P(EveryFamily, ScoresTheTrieAsOnePassPerRequestWould) {
  for (const bool batched : {false, true}) {
    const LoadedDecoder loaded = LoadFixture(GetParam(), {}, {.batched_attention = batched});
    SetComputeThreads(1);
    const auto requests = TreeOfRequests(3, 53);
    std::vector<ContinuationScore> expected;
    for (const ScoringRequest& request : requests) {
      expected.push_back(Naive(*loaded.decoder, request));
    }
    for (const int budget : {5, 40, 4096}) {
      const ScoringPlan plan =
          PlanScoring(requests, budget, LongestShortText(loaded.decoder->config())).value();
      const auto scores = ScoreRequests(*loaded.decoder, plan, GoOn);
      ASSERT_TRUE(scores) << scores.error().Text();
      for (std::size_t i = 0; i < requests.size(); ++i) {
        const double tokens =
            static_cast<double>(requests[i].tokens.size()) - requests[i].scored_from;
        EXPECT_NEAR((*scores)[i].log_likelihood, expected[i].log_likelihood, 3e-5 * tokens);
        EXPECT_EQ((*scores)[i].is_greedy, expected[i].is_greedy);
      }
    }
  }
}

// Without one the last layer leaves out the rows that nobody reads.
TEST(Scorer, GivesTheSameScoresWhereAHookLooksOn) {
  for (const std::string family : {"llama_gqa", "gpt2_plain"}) {
    const LoadedDecoder loaded = LoadFixture(family);
    const ScoringPlan plan = PlanScoring(TreeOfRequests(7, 53), 40).value();
    const auto alone = ScoreRequests(*loaded.decoder, plan, GoOn).value();
    ForwardHook hook;
    loaded.decoder->Attach(&hook);
    const auto watched = ScoreRequests(*loaded.decoder, plan, GoOn).value();
    for (std::size_t i = 0; i < alone.size(); ++i) {
      EXPECT_NEAR(alone[i].log_likelihood, watched[i].log_likelihood, 1e-5) << family << i;
      EXPECT_EQ(alone[i].is_greedy, watched[i].is_greedy);
    }
  }
}

TEST(Scorer, GivesBitEqualScoresInAnyOrderOfRequests) {
  const LoadedDecoder loaded = LoadFixture("llama_gqa");
  auto requests = TreeOfRequests(5, 53);
  const auto scores =
      ScoreRequests(*loaded.decoder, PlanScoring(requests, 64).value(), GoOn).value();
  std::ranges::reverse(requests);
  auto reversed = ScoreRequests(*loaded.decoder, PlanScoring(requests, 64).value(), GoOn).value();
  std::ranges::reverse(reversed);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    EXPECT_EQ(scores[i].log_likelihood, reversed[i].log_likelihood);
  }
}

TEST(Scorer, GivesBitEqualScoresOnAnyNumberOfThreads) {
  const LoadedDecoder loaded = LoadFixture("llama_gqa");
  const ScoringPlan plan = PlanScoring(TreeOfRequests(6, 53, /*questions=*/48), 4096).value();
  ASSERT_GT(plan.forward.packs[0].rows(), kTileRows);
  SetComputeThreads(1);
  const auto alone = ScoreRequests(*loaded.decoder, plan, GoOn).value();
  SetComputeThreads(3);
  const auto together = ScoreRequests(*loaded.decoder, plan, GoOn).value();
  SetComputeThreads(1);
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(alone[i].log_likelihood, together[i].log_likelihood) << i;
  }
}

TEST(RowTiles, AreEachOneThreadsWorkUnlessTogether) {
  SetComputeThreads(3);
  const auto are_operators_serial = [](std::int64_t rows) {
    std::atomic<bool> serial = true;
    std::atomic<std::int64_t> covered = 0;
    ForEachTile(at::kCPU, rows, [&](std::int64_t, std::int64_t count) {
      covered += count;
      if (!at::in_parallel_region()) serial = false;
    });
    EXPECT_EQ(covered, rows);
    return serial.load();
  };
  EXPECT_TRUE(are_operators_serial(1));
  EXPECT_TRUE(are_operators_serial(kTileRows));
  EXPECT_TRUE(are_operators_serial(kTileRows + 1));
  {
    const TogetherOnOneTile together;
    EXPECT_FALSE(are_operators_serial(1));
    EXPECT_TRUE(are_operators_serial(kTileRows + 1));
  }
  EXPECT_TRUE(are_operators_serial(1));
  SetComputeThreads(1);
}

TEST(Scorer, GoesOnAfterABreakWithBitEqualScores) {
  const std::string directory = testing::TempDir() + "scorer_test." + std::to_string(getpid());
  ASSERT_TRUE(MakeDirectories(directory));
  for (const std::string family : {"llama_gqa", "gpt2_plain"}) {
    const LoadedDecoder loaded = LoadFixture(family);
    const ScoringPlan plan = PlanScoring(TreeOfRequests(8, 53), 40).value();
    const std::size_t packs = plan.forward.packs.size();
    ASSERT_GT(packs, 6u);
    const auto expected = ScoreRequests(*loaded.decoder, plan, GoOn).value();
    for (std::size_t killed_after = 1; killed_after <= packs; ++killed_after) {
      const ScoreLog log(directory + "/" + HashOf(plan.forward), "title");
      const auto stop = [&](std::size_t done, std::size_t) { return done < killed_after; };
      ASSERT_FALSE(ScoreRequests(*loaded.decoder, plan, stop, &log));
      std::vector<std::size_t> reported;
      const LoadedDecoder another = LoadFixture(family);
      const auto scores = ScoreRequests(
          *another.decoder, plan,
          [&](std::size_t done, std::size_t) {
            reported.push_back(done);
            return true;
          },
          &log);
      ASSERT_TRUE(scores) << scores.error().Text();
      EXPECT_EQ(reported.front(), killed_after);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ((*scores)[i].log_likelihood, expected[i].log_likelihood)
            << family << " killed after " << killed_after << ", request " << i;
        EXPECT_EQ((*scores)[i].is_greedy, expected[i].is_greedy);
      }
      log.Remove();
    }
  }
}

TEST(ScoreLog, TakesWholeLinesOfItsOwnPlanOnly) {
  const std::string directory = testing::TempDir() + "score_log." + std::to_string(getpid());
  ASSERT_TRUE(MakeDirectories(directory));
  const ForwardPlan plan = PlanScoring(TreeOfRequests(8, 53), 40).value().forward;
  std::vector<TokenScore> scores(plan.reads.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    scores[i] = {-0.1f * static_cast<float>(i), i % 3 == 0};
  }
  const ScoreLog log(directory + "/0123", "title");
  std::vector<TokenScore> restored(scores.size());
  EXPECT_EQ(log.Restore(plan, restored), 0u);
  for (std::size_t pack = 0; pack < 3; ++pack) ASSERT_TRUE(log.Add(plan, pack, scores));
  std::string text = ReadFile(log.path()).value();
  ASSERT_TRUE(WriteFileAtomically(log.path(), text.substr(0, text.size() - 5)));  // torn
  EXPECT_EQ(log.Restore(plan, restored), 2u);
  ASSERT_TRUE(log.Add(plan, 2, scores));
  EXPECT_EQ(log.Restore(plan, restored), 3u);
  const auto read = static_cast<std::size_t>(plan.packs[2].read_end);
  for (std::size_t i = 0; i < read; ++i) {
    EXPECT_EQ(restored[i].log_probability, scores[i].log_probability);
    EXPECT_EQ(restored[i].is_argmax, scores[i].is_argmax);
  }
  char& digit = text[text.find('\n') + 5];
  digit = digit == '0' ? '1' : '0';
  ASSERT_TRUE(WriteFileAtomically(log.path(), text));
  EXPECT_EQ(log.Restore(plan, restored), 0u);
  EXPECT_NE(HashOf(plan), HashOf(PlanScoring(TreeOfRequests(8, 53), 41).value().forward));
  log.Remove();
}

TEST(Scorer, FindsGreedyContinuations) {
  const LoadedDecoder loaded = LoadFixture("gpt2_plain");
  ScoringRequest request{{7, 3, 11}, 3};
  for (int i = 0; i < 4; ++i) {
    const auto logits = loaded.decoder->Logits(request.tokens).value();
    const auto last = logits.end() - 53;
    request.tokens.push_back(static_cast<TokenId>(std::max_element(last, logits.end()) - last));
  }
  ScoringRequest other = request;
  other.tokens.back() = (other.tokens.back() + 1) % 53;
  const auto plan = PlanScoring(std::vector{request, other}, 64).value();
  const auto scores = ScoreRequests(*loaded.decoder, plan, GoOn).value();
  EXPECT_TRUE(scores[0].is_greedy);
  EXPECT_FALSE(scores[1].is_greedy);
}

TEST(Scorer, StopsWhenToldTo) {
  const LoadedDecoder loaded = LoadFixture("gpt2_plain");
  const auto plan = PlanScoring(TreeOfRequests(1, 53), 16).value();
  const auto scores =
      ScoreRequests(*loaded.decoder, plan, [](std::size_t done, std::size_t) { return done < 2; });
  ASSERT_FALSE(scores);
  EXPECT_EQ(scores.error().kind, ErrorKind::kCancelled);
}

}  // namespace
}  // namespace couplingd
