#include <cmath>
#include <limits>

#include "tests/history/fixture.h"

namespace couplingd {
namespace {

using namespace std::string_literals;

using RoundTrip = HistoryTest;

TEST_F(RoundTrip, KeepsRuns) {
  auto writer = OpenWriter();
  Run full = ExampleRun("a"), bare{.name = "b"};
  full.id = Must(writer->SaveRun(full));
  bare.id = Must(writer->SaveRun(bare));
  EXPECT_NE(full.id, bare.id);
  const std::vector<Run> runs = Must(OpenReader()->Runs());
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(Describe(runs[0]), Describe(full));
  EXPECT_EQ(Describe(runs[1]), Describe(bare));
  EXPECT_FALSE(Must(OpenReader()->FindRun("c")));
}

TEST_F(RoundTrip, UpdatesARunByItsName) {
  auto writer = OpenWriter();
  const std::int64_t id = Must(writer->SaveRun(ExampleRun("a")));
  Run changed{.name = "a", .family = "other", .generation = 2};
  EXPECT_EQ(Must(writer->SaveRun(changed)), id);
  changed.id = id;
  EXPECT_EQ(Describe(*Must(writer->reader().FindRun("a"))), Describe(changed));
  EXPECT_EQ(Must(writer->reader().Runs()).size(), 1u);
}

TEST_F(RoundTrip, KeepsCheckpointsInEveryState) {
  auto writer = OpenWriter();
  const std::int64_t run = Must(writer->SaveRun(ExampleRun("a")));
  for (int state = 0; state <= static_cast<int>(CheckpointState::kSkipped); ++state) {
    Checkpoint checkpoint = ExampleCheckpoint(run, state);
    checkpoint.id = Must(writer->SaveCheckpoint(checkpoint));
    checkpoint.parameters = 1e9;
    checkpoint.tokens.reset();
    checkpoint.weights_hash = "weights";
    checkpoint.signature = "other";
    checkpoint.state = static_cast<CheckpointState>(state);
    checkpoint.reason = "bytes \xff\xfe, a \0 and an é"s;
    checkpoint.attempts = 3;
    checkpoint.updated_at = kStart + 7;
    EXPECT_EQ(Must(writer->SaveCheckpoint(checkpoint)), checkpoint.id);
    EXPECT_EQ(Describe(*Must(OpenReader()->FindCheckpoint(checkpoint.id))), Describe(checkpoint));
    const auto alone = Must(OpenReader()->CheckpointsInState(checkpoint.state));
    ASSERT_EQ(alone.size(), 1u);
    EXPECT_EQ(alone[0].id, checkpoint.id);
  }
}

TEST_F(RoundTrip, RefusesToUpdateWhatIsNotStored) {
  auto writer = OpenWriter();
  Checkpoint checkpoint = ExampleCheckpoint(1, 5);
  EXPECT_EQ(writer->SaveCheckpoint(checkpoint).error().kind, ErrorKind::kNotFound);
  checkpoint.id = 77;
  EXPECT_NE(ErrorText(writer->SaveCheckpoint(checkpoint)).find("no checkpoint with id 77"),
            std::string::npos);
  EXPECT_EQ(writer->SaveEvaluation(ExampleEvaluation(9)).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(writer->SaveDelivery({.id = 3, .state = "dead"}).error().kind, ErrorKind::kNotFound);
}

TEST_F(RoundTrip, KeepsEvaluationsAndReplacesTheScoresOfTheSameKey) {
  auto writer = OpenWriter();
  const std::int64_t run = Must(writer->SaveRun(ExampleRun("a")));
  const std::int64_t checkpoint = Must(writer->SaveCheckpoint(ExampleCheckpoint(run, 1)));
  Evaluation evaluation = ExampleEvaluation(checkpoint);
  evaluation.id = Must(writer->SaveEvaluation(evaluation));
  auto stored = Must(OpenReader()->Evaluations(checkpoint));
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(Describe(stored[0]), Describe(evaluation));

  evaluation.device = "cuda:GPU-1";
  evaluation.finished_at += 50;
  evaluation.scores = {{"truthfulqa_mc2", "acc", 0.5, std::nullopt, std::nullopt}};
  EXPECT_EQ(Must(writer->SaveEvaluation(evaluation)), evaluation.id);
  stored = Must(OpenReader()->Evaluations(checkpoint));
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(Describe(stored[0]), Describe(evaluation));
}

TEST_F(RoundTrip, KeepsDoublesToTheBitButForTheSignOfZero) {
  auto writer = OpenWriter();
  const std::int64_t run = Must(writer->SaveRun(ExampleRun("a")));
  const std::int64_t checkpoint = Must(writer->SaveCheckpoint(ExampleCheckpoint(run, 1)));
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Evaluation evaluation = ExampleEvaluation(checkpoint);
  evaluation.scores.clear();
  for (const double value :
       {0.0, 1.0, 0.1, 1.0 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
        9007199254740993.0, -3.0, kInfinity, -kInfinity, std::nextafter(1.0, 2.0)}) {
    evaluation.scores.push_back(
        {"task", std::to_string(100 + evaluation.scores.size()), value, value, 1});
  }
  evaluation.id = Must(writer->SaveEvaluation(evaluation));
  const auto stored = Must(OpenReader()->Evaluations(checkpoint));
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(Describe(stored[0]), Describe(evaluation));
}

TEST_F(RoundTrip, RefusesNaNByTheNameOfItsField) {
  auto writer = OpenWriter();
  const std::int64_t run = Must(writer->SaveRun(ExampleRun("a")));
  const std::int64_t checkpoint = Must(writer->SaveCheckpoint(ExampleCheckpoint(run, 1)));
  Evaluation evaluation = ExampleEvaluation(checkpoint);
  evaluation.scores[1].stderr_value = std::nan("");
  EXPECT_EQ(ErrorText(writer->SaveEvaluation(evaluation)),
            "invalid_data: evaluation of checkpoint 1 with truthfulqa: score truthfulqa_mc2.acc: "
            "stderr is not a number (NaN), which is never stored");
  EXPECT_TRUE(Must(writer->reader().Evaluations(checkpoint)).empty());
  CouplingEstimate estimate = ExampleCoupling();
  estimate.gamma = std::nan("");
  EXPECT_EQ(writer->SaveCoupling(estimate).error().kind, ErrorKind::kInvalidData);
  EXPECT_TRUE(Must(writer->reader().Couplings({})).empty());
}

TEST_F(RoundTrip, KeepsCouplingsAndReturnsTheNewestOfEachPlace) {
  auto writer = OpenWriter();
  Must(writer->SaveRun(ExampleRun("pythia-70m")));
  CouplingEstimate first = ExampleCoupling(), second = first, scale = first;
  Must(writer->SaveCoupling(first));
  clock_.Advance(std::chrono::seconds(1));
  second.gamma = 0.2;
  second.phase = Phase::kUndetermined;
  second.high.reset();
  second.reason = "12 more checkpoints would settle it";
  Must(writer->SaveCoupling(second));
  scale.run = "";
  scale.evidence.reset();
  scale.over = CouplingOver::kScale;
  scale.at = 7e7;
  Must(writer->SaveCoupling(scale));

  const auto newest = Must(OpenReader()->Couplings({}));
  ASSERT_EQ(newest.size(), 2u);
  EXPECT_EQ(Describe(newest[0]), Describe(second));
  EXPECT_EQ(Describe(newest[1]), Describe(scale));
  const auto before = Must(OpenReader()->Couplings({.until = kStart}));
  ASSERT_EQ(before.size(), 1u);
  EXPECT_EQ(Describe(before[0]), Describe(first));
}

TEST_F(RoundTrip, DoesNotStoreTheSameEstimateTwice) {
  auto writer = OpenWriter();
  Must(writer->SaveCoupling(ExampleCoupling()));
  Must(writer->SaveForecast(ExampleForecast()));
  clock_.Advance(std::chrono::seconds(1));
  Must(writer->SaveCoupling(ExampleCoupling()));
  Must(writer->SaveForecast(ExampleForecast()));
  // Had it been stored again, it would have been recorded a second later as well.
  EXPECT_TRUE(Must(OpenReader()->Couplings({.since = kStart + 1})).empty());
  EXPECT_TRUE(Must(OpenReader()->Forecasts({.since = kStart + 1})).empty());
  EXPECT_EQ(Must(OpenReader()->Couplings({})).size(), 1u);
}

TEST_F(RoundTrip, KeepsForecastsAndReturnsTheNewestOfEachMethod) {
  auto writer = OpenWriter();
  Forecast first = ExampleForecast(), second = first, ode = first, run = first;
  second.value.reset();
  second.n = 3;
  ode.method = "ode";
  run.run = "pythia-70m";
  run.quantity = "D_c";
  for (const Forecast& forecast : {first, ode, run, second}) Must(writer->SaveForecast(forecast));
  const auto newest = Must(OpenReader()->Forecasts({}));
  ASSERT_EQ(newest.size(), 3u);
  EXPECT_EQ(Describe(newest[0]), Describe(ode));
  EXPECT_EQ(Describe(newest[1]), Describe(second));
  EXPECT_EQ(Describe(newest[2]), Describe(run));
}

TEST_F(RoundTrip, CountsAnEventThatRepeatsAndStartsAnewWhenItReturns) {
  auto writer = OpenWriter();
  Must(writer->SaveEvent("error", "slack", "refused"));
  clock_.Advance(std::chrono::seconds(1));
  Must(writer->SaveEvent("info", "run a", "step 1 evaluated"));
  clock_.Advance(std::chrono::seconds(1));
  Must(writer->SaveEvent("error", "slack", "refused"));
  Must(writer->SaveEvent("info", "slack", "works again"));
  Must(writer->SaveEvent("error", "slack", "refused"));
  const auto events = Must(OpenReader()->Events(0));
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].count, 1);
  EXPECT_EQ(events[1].text, "works again");
  EXPECT_EQ(events[2].text, "refused");
  EXPECT_EQ(events[2].count, 2);
  EXPECT_EQ(events[2].at, kStart + 2000);
  EXPECT_EQ(events[3].subject, "run a");
  EXPECT_EQ(Must(OpenReader()->Events(2)).size(), 2u);
}

TEST_F(RoundTrip, KeepsNamedValues) {
  auto writer = OpenWriter();
  EXPECT_FALSE(Must(writer->reader().Value("last")));
  Must(writer->SetValue("last", "1"));
  Must(writer->SetValue("last", "2"));
  Must(writer->SetValue("empty", ""));
  EXPECT_EQ(Must(OpenReader()->Value("last")), "2");
  EXPECT_EQ(Must(OpenReader()->Value("empty")), "");
}

TEST_F(RoundTrip, KnowsWhereTheScoreFilesLie) {
  auto writer = OpenWriter();
  EXPECT_EQ(writer->reader().ScoresDirectory(), Directory() + "/scores");
  EXPECT_EQ(OpenReader()->ScoresDirectory(), Directory() + "/scores");
}

}  // namespace
}  // namespace couplingd
