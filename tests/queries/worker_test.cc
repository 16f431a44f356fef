#include "queries/worker.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

constexpr const char* kResultFrame =
    R"({"frame":"result","weights_hash":"w","tokenizer_hash":"t","model_type":"llama","device":"cpu","dtype":"fp32",)"
    R"("bos":"true","scorer":"1","parameters":6088,"d_model":8,"packs":[{"name":"arc_easy","hash":"p",)"
    R"("plan_hash":"l","scores_hash":"s","scores":[{"task":"arc_easy","metric":"acc","value":0.25,"stderr":0.1,"n":400}]}]})";
constexpr const char* kGoodEnd = R"({"frame":"exit","code":0,"signal":0,"text":"exit code 0"})";

WorkerFrames Take(std::initializer_list<const char*> lines) {
  static const ManualClock clock(0);
  WorkerFrames frames(clock);
  for (const char* line : lines) frames.Take(line);
  return frames;
}

TEST(WorkerFrames, GiveTheResultOfAnEvaluationThatEndedWell) {
  const auto result =
      Take({R"({"frame":"progress","done":1,"total":4,"task":"arc_easy"})", kResultFrame, kGoodEnd})
          .Finish();
  ASSERT_TRUE(result) << result.error().Text();
  EXPECT_EQ(result->packs[0].scores[0].value, 0.25);
  EXPECT_EQ(result->d_model, 8);
}

TEST(WorkerFrames, TellHowFarItIs) {
  EXPECT_EQ(Take({R"({"frame":"progress","done":1,"total":4,"task":"a"})"}).progress(), 0.25);
}

TEST(WorkerFrames, TellHowLongItWillTakeFromWhatWasForwardedSinceTheFirst) {
  ManualClock clock(0);
  WorkerFrames frames(clock);
  frames.Take(R"({"frame":"progress","done":60,"total":100,"task":"a"})");  // was there before
  EXPECT_EQ(frames.Left(), std::nullopt);
  clock.Advance(std::chrono::seconds(2));
  frames.Take(R"({"frame":"progress","done":70,"total":100,"task":"a"})");
  EXPECT_EQ(frames.Left(), std::chrono::seconds(6));
}

TEST(WorkerFrames, GiveTheErrorThatTheWorkerReportedRatherThanItsExitCode) {
  const auto result =
      Take(
          {R"({"frame":"error","kind":"invalid_data","message":"NaN in lm_head","hint":"h","retryable":false})",
           R"({"frame":"exit","code":65,"signal":0,"text":"exit code 65"})"})
          .Finish();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kInvalidData);
  EXPECT_EQ(result.error().Text(), "NaN in lm_head (h)");
}

TEST(WorkerFrames, DoNotTakeAResultFromAProcessThatWasKilledAfterIt) {
  const auto result =
      Take({kResultFrame, R"({"frame":"exit","code":0,"signal":9,"text":"killed by SIGKILL"})"})
          .Finish();
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().retryable);
}

TEST(WorkerFrames, NoticeAMissingLastFrameAndAMissingResult) {
  EXPECT_FALSE(Take({kResultFrame}).Finish());
  EXPECT_FALSE(Take({kGoodEnd}).Finish());
}

TEST(WorkerFrames, TakeGarbageAsAnError) {
  EXPECT_FALSE(Take({"garbage", kResultFrame, kGoodEnd}).Finish());
}

TEST(ToEvaluations, KeepSeriesApartThatDifferInAnythingButTheWeights) {
  const auto result = Take({kResultFrame, kGoodEnd}).Finish();
  ASSERT_TRUE(result);
  const EvaluationConfig config;
  const Evaluation first = ToEvaluations(*result, config, 1, 2).at(0);
  WorkerResult other = *result;
  other.weights_hash = "w2";
  EXPECT_EQ(ToEvaluations(other, config, 1, 2)[0].series_key, first.series_key);
  EXPECT_NE(ToEvaluations(other, config, 1, 2)[0].key, first.key);
  other = *result;
  other.bos = "false";
  EXPECT_NE(ToEvaluations(other, config, 1, 2)[0].series_key, first.series_key);
  other = *result;
  other.items = 10;
  const Evaluation subset = ToEvaluations(other, config, 1, 2)[0];
  EXPECT_NE(subset.series_key, first.series_key);
  EvaluationConfig other_draw;
  other_draw.seed = 2;
  EXPECT_NE(ToEvaluations(other, other_draw, 1, 2)[0].series_key, subset.series_key);
  EXPECT_EQ(ToEvaluations(*result, other_draw, 1, 2)[0].series_key, first.series_key);
}

}  // namespace
}  // namespace couplingd
