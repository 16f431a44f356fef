// The rules about checkpoints and their evaluations.
#include <gtest/gtest.h>

#include "alerts/rules.h"
#include "tests/alerts/rule_cases.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;

Checkpoint CheckpointAt(std::int64_t step, CheckpointState state, UnixMillis discovered = 0) {
  Checkpoint checkpoint;
  checkpoint.step = step;
  checkpoint.state = state;
  checkpoint.path = "/runs/a/checkpoint-" + std::to_string(step);
  checkpoint.reason = "shard 2 is truncated";
  checkpoint.attempts = 3;
  checkpoint.discovered_at = discovered;
  return checkpoint;
}

constexpr auto kFailed = CheckpointState::kFailed;
constexpr auto kEvaluated = CheckpointState::kEvaluated;
constexpr auto kRefused = CheckpointState::kRefused;

std::vector<Finding> WithStates(const RuleConfig& rule, std::vector<CheckpointState> states) {
  RuleInputs inputs = Inputs();
  std::int64_t step = 0;
  for (const CheckpointState state : states) {
    inputs.runs[0].checkpoints.push_back(CheckpointAt(step += 1000, state));
  }
  return Evaluate(rule, inputs);
}

TEST(EvaluationFailingRule, CountsFailuresInARowFromTheNewest) {
  RuleConfig rule = {.name = "failing", .kind = "evaluation_failing"};
  rule.failures = 2;
  EXPECT_TRUE(WithStates(rule, {}).empty());
  EXPECT_TRUE(WithStates(rule, {kEvaluated, kFailed}).empty());
  EXPECT_TRUE(WithStates(rule, {kFailed, kFailed})[0].active);
  EXPECT_TRUE(
      WithStates(rule, {kEvaluated, kFailed, kRefused, kFailed, CheckpointState::kQueued})[0]
          .active);
  EXPECT_FALSE(WithStates(rule, {kFailed, kFailed, kEvaluated})[0].active);
  const auto findings = WithStates(rule, {kEvaluated, kFailed, kFailed, kFailed});
  EXPECT_NE(findings[0].summary.find("last 3 checkpoints failed"), std::string::npos);
  EXPECT_NE(findings[0].description.find("shard 2 is truncated"), std::string::npos);
  EXPECT_NE(findings[0].interventions[0].reason.find("Step 1000"), std::string::npos);
}

TEST(BadCheckpointRule, HoldsForEachRefusedCheckpointUntilALaterOneIsEvaluated) {
  const RuleConfig rule = {.name = "bad", .kind = "bad_checkpoint"};
  auto findings = WithStates(rule, {kEvaluated, kRefused, kRefused});
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_FALSE(findings[0].active);
  EXPECT_TRUE(findings[1].active);
  EXPECT_TRUE(findings[2].active);
  EXPECT_EQ(findings[1].subject, "/runs/a/checkpoint-2000");
  EXPECT_NE(findings[1].description.find("shard 2 is truncated"), std::string::npos);
  findings = WithStates(rule, {kRefused, kEvaluated});
  EXPECT_FALSE(findings[0].active);
  EXPECT_NE(findings[0].summary.find("step 2000"), std::string::npos);
  EXPECT_TRUE(WithStates(rule, {kFailed, CheckpointState::kWaiting}).empty());
}

std::vector<Finding> Overdue(WatchedRun run, UnixMillis now) {
  RuleInputs inputs = Inputs();
  inputs.now = now;
  inputs.runs = {std::move(run)};
  return Evaluate({.name = "overdue", .kind = "checkpoint_overdue"}, inputs);
}

WatchedRun RunWithArrivals(const std::vector<UnixMillis>& minutes) {
  WatchedRun run = RunNamed("pythia-1b", "pythia");
  std::int64_t step = 0;
  for (const UnixMillis minute : minutes) {
    run.checkpoints.push_back(CheckpointAt(step += 1000, kEvaluated, minute * 60000));
  }
  return run;
}

TEST(CheckpointOverdueRule, LearnsThePaceFromFourIntervals) {
  const WatchedRun run = RunWithArrivals({0, 10, 21, 30, 41});
  EXPECT_FALSE(Overdue(run, 70 * 60000)[0].active);
  const auto late = Overdue(run, 75 * 60000);
  ASSERT_EQ(late.size(), 1u);
  EXPECT_TRUE(late[0].active);
  EXPECT_EQ(late[0].summary, "pythia-1b: no checkpoint for 34m");
  EXPECT_TRUE(Overdue(RunWithArrivals({0, 10, 21, 30}), 900 * 60000).empty());
  EXPECT_TRUE(Overdue(RunWithArrivals({}), 900 * 60000).empty());
}

TEST(CheckpointOverdueRule, LearnsNothingFromWhatWasFoundInOneLook) {
  EXPECT_TRUE(Overdue(RunWithArrivals({0, 0, 0, 0, 0, 0, 0, 0, 10}), 900 * 60000).empty());
}

TEST(CheckpointOverdueRule, TakesTheConfiguredTimeAndEndsWithTheRun) {
  WatchedRun run = RunWithArrivals({0});
  run.overdue_after = 5min;
  EXPECT_FALSE(Overdue(run, 5 * 60000)[0].active);
  EXPECT_TRUE(Overdue(run, 5 * 60000 + 1)[0].active);
  run.alive = false;
  EXPECT_FALSE(Overdue(run, 50 * 60000)[0].active);
}

}  // namespace
}  // namespace couplingd
