// Rules about couplingd itself and the files it reads: queue_growing, sink_broken, bad_checkpoint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alerts/lifecycle.h"
#include "alerts/rules.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr UnixMillis kMinute = 60000;
constexpr UnixMillis kNow = 1000 * kMinute;

Checkpoint CheckpointAt(std::int64_t step, CheckpointState state, UnixMillis discovered,
                        UnixMillis updated) {
  Checkpoint checkpoint;
  checkpoint.step = step;
  checkpoint.state = state;
  checkpoint.discovered_at = discovered;
  checkpoint.updated_at = updated;
  checkpoint.path = "/runs/a/step" + std::to_string(step);
  return checkpoint;
}

std::vector<Finding> Queue(std::vector<Checkpoint> checkpoints, const RuleConfig& rule,
                           std::optional<std::chrono::milliseconds> evaluation = {}) {
  RuleInputs inputs;
  inputs.now = kNow;
  inputs.scores.evaluation_time = evaluation;
  WatchedRun run;
  run.name = "a";
  run.checkpoints = std::move(checkpoints);
  inputs.runs = {run};
  return EvaluateRules({rule}, inputs);
}

constexpr auto kQueued = CheckpointState::kQueued;
constexpr auto kEvaluated = CheckpointState::kEvaluated;
const RuleConfig kGrowing = {.name = "queue", .kind = "queue_growing"};

TEST(QueueGrowingRule, HoldsWhereTheOldestWaitsLongAndMoreWaitThanBefore) {
  const UnixMillis old = kNow - 15 * kMinute, recent = kNow - 2 * kMinute;
  const auto findings = Queue(
      {CheckpointAt(1, kQueued, old, old), CheckpointAt(2, kQueued, recent, recent)}, kGrowing);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_TRUE(findings[0].active);
  EXPECT_EQ(findings[0].run, "");
  EXPECT_EQ(findings[0].subject, "queue");
  EXPECT_EQ(findings[0].summary, "2 checkpoints wait for their evaluation, the oldest for 15m");
  EXPECT_THAT(findings[0].description, HasSubstr("10m ago 1 waited, now 2"));
}

TEST(QueueGrowingRule, SaysNothingOfALongQueueThatShrinks) {
  const UnixMillis old = kNow - 30 * kMinute;
  EXPECT_TRUE(
      Queue({CheckpointAt(1, kEvaluated, old, kNow - kMinute), CheckpointAt(2, kQueued, old, old)},
            kGrowing)
          .empty());
  // One evaluation under way and one waiting, as at the window's begin.
  EXPECT_TRUE(Queue({CheckpointAt(1, CheckpointState::kEvaluating, old, kNow - kMinute),
                     CheckpointAt(2, kQueued, old, old)},
                    kGrowing)
                  .empty());
}

TEST(QueueGrowingRule, IsExcludedWhereNothingHasWaitedLong) {
  auto findings = Queue({}, kGrowing);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_FALSE(findings[0].active);
  findings = Queue({CheckpointAt(1, kQueued, kNow - kMinute, kNow - kMinute)}, kGrowing);
  EXPECT_FALSE(findings[0].active);
}

TEST(QueueGrowingRule, LearnsItsPatienceFromEvaluationsUnlessItIsGiven) {
  const UnixMillis old = kNow - 15 * kMinute, recent = kNow - 2 * kMinute;
  const std::vector<Checkpoint> queue = {CheckpointAt(1, kQueued, old, old),
                                         CheckpointAt(2, kQueued, recent, recent)};
  EXPECT_TRUE(Queue(queue, kGrowing, 4min)[0].active);
  EXPECT_FALSE(Queue(queue, kGrowing, 6min)[0].active);
  RuleConfig rule = kGrowing;
  rule.after = 5min;
  EXPECT_TRUE(Queue(queue, rule, 6min)[0].active);
}

SinkHealth Healthy() {
  return {.name = "slack", .last_delivered_at = kNow - 30 * kMinute, .last_outcome = "HTTP 200"};
}

Finding Sink(const SinkHealth& health,
             const RuleConfig& rule = {.name = "sink", .kind = "sink_broken"}) {
  RuleInputs inputs;
  inputs.now = kNow;
  inputs.sinks = {health};
  const auto findings = EvaluateRules({rule}, inputs);
  EXPECT_EQ(findings.size(), 1u);
  return findings.empty() ? Finding() : findings[0];
}

TEST(SinkBrokenRule, HoldsWhereSomethingWaitsTooLong) {
  SinkHealth sink = Healthy();
  sink.pending = 2;
  sink.oldest_pending_at = kNow - 5 * kMinute;
  sink.last_outcome = "HTTP 503";
  EXPECT_FALSE(Sink(sink).active);
  sink.oldest_pending_at -= 1;
  const Finding finding = Sink(sink);
  EXPECT_TRUE(finding.active);
  EXPECT_EQ(finding.run, "");
  EXPECT_EQ(finding.subject, "slack");
  EXPECT_EQ(finding.labels.at("sink"), "slack");
  EXPECT_EQ(finding.summary, "sink slack: 2 alerts wait for up to 5m");
  EXPECT_THAT(finding.description, HasSubstr("The last answer: HTTP 503."));
  EXPECT_FALSE(Sink(sink, {.name = "sink", .kind = "sink_broken", .after = 10min}).active);
}

TEST(SinkBrokenRule, HoldsWhereSomethingWasGivenUpUntilADeliverySucceeds) {
  SinkHealth sink = Healthy();
  sink.dead = 1;
  sink.last_outcome = "HTTP 404: no_service";
  const Finding finding = Sink(sink);
  EXPECT_TRUE(finding.active);
  EXPECT_EQ(finding.labels.at("cause"), "refused");
  EXPECT_EQ(finding.summary, "sink slack: 1 alert could not be delivered");
  EXPECT_FALSE(Sink(Healthy()).active);
  EXPECT_FALSE(Sink({.name = "new"}).active);
}

TEST(SinkBrokenRule, EndsWithTheSinkAndNotWithTheRuns) {
  Config config;
  config.rules = {{.name = "sink", .kind = "sink_broken"}};
  config.sinks = {{.name = "slack", .kind = "slack"}};
  SinkHealth sink = Healthy();
  sink.dead = 1;
  const auto fired = AlertTransitions({}, {Sink(sink)}, ScopeOf(config), 100);
  ASSERT_EQ(fired.size(), 1u);
  EXPECT_TRUE(AlertTransitions(fired, {}, ScopeOf(config), 200).empty());
  config.sinks.clear();
  EXPECT_EQ(AlertTransitions(fired, {}, ScopeOf(config), 200).size(), 1u);
}

TEST(BadCheckpointRule, GivesNaNItsOwnSeverityAndCause) {
  Checkpoint checkpoint = CheckpointAt(1000, CheckpointState::kRefused, 1, 1);
  const RuleConfig rule = {.name = "bad", .kind = "bad_checkpoint"};
  checkpoint.reason = "shard 2 is truncated";
  Finding finding = Queue({checkpoint}, rule)[0];
  EXPECT_EQ(finding.severity, Severity::kWarning);
  EXPECT_EQ(finding.labels.at("cause"), "unusable");
  for (const char* reason : {"model.safetensors: tensor \"w\" holds NaN or infinity",
                             "the model's logits are NaN or infinite"}) {
    checkpoint.reason = reason;
    finding = Queue({checkpoint}, rule)[0];
    EXPECT_EQ(finding.severity, Severity::kCritical);
    EXPECT_EQ(finding.labels.at("severity"), "critical");
    EXPECT_EQ(finding.labels.at("cause"), "nan");
    EXPECT_EQ(finding.summary, "a: the checkpoint of step 1000 holds or computes NaN");
    EXPECT_THAT(finding.interventions[0].action, HasSubstr("go back to the last good checkpoint"));
  }
}

}  // namespace
}  // namespace couplingd
