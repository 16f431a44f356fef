#include "queries/rule_inputs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace couplingd {
namespace {

constexpr UnixMillis kMinute = 60000;

class RuleInputsTest : public ::testing::Test {
 protected:
  RuleInputsTest() {
    std::filesystem::remove_all(folder_);
    writer_ = *HistoryWriter::Open(folder_, clock_);
    config_.runs = {{.name = "a", .family = "f"}};
    config_.rules = {{.name = "sink", .kind = "sink_broken"}};
    config_.sinks = {{.name = "slack", .kind = "slack"}};
    run_ = *writer_->SaveRun({.name = "a", .family = "f"});
  }
  ~RuleInputsTest() override { std::filesystem::remove_all(folder_); }

  void SaveCheckpoint(std::int64_t step, CheckpointState state, UnixMillis found,
                      UnixMillis changed) {
    Checkpoint checkpoint;
    checkpoint.run_id = run_;
    checkpoint.step = step;
    checkpoint.path = "/a/" + std::to_string(step);
    checkpoint.state = state;
    checkpoint.discovered_at = found;
    checkpoint.updated_at = changed;
    ASSERT_TRUE(writer_->SaveCheckpoint(checkpoint));
  }
  void Fire(const std::string& key) {
    Alert alert;
    alert.key = key;
    alert.sequence = 1;
    alert.starts_at = clock_.Now();
    alert.finding.rule = "r";
    ASSERT_TRUE(writer_->SaveAlert(alert));
    Tell(key);
  }
  void Tell(const std::string& key, int repeat = 0) {
    Delivery delivery;
    delivery.sink = "slack";
    delivery.alert_key = key;
    delivery.sequence = 1;
    delivery.repeat = repeat;
    delivery.next_attempt_at = clock_.Now();
    ASSERT_TRUE(writer_->AddDelivery(delivery));
    NotificationDecision decision{.at = clock_.Now(), .alert_key = key, .sequence = 1};
    decision.sink = "slack";
    decision.is_sent = true;
    decision.reason = repeat == 0 ? "fired" : "repeated";
    ASSERT_TRUE(writer_->SaveDecision(decision));
  }
  void Answer(const std::string& key, const std::string& state, const std::string& outcome) {
    const auto pending = writer_->reader().Deliveries("pending");
    ASSERT_TRUE(pending);
    for (Delivery delivery : *pending) {
      if (delivery.alert_key != key) continue;
      delivery.state = state;
      delivery.attempts = 1;
      delivery.last_outcome = outcome;
      delivery.updated_at = clock_.Now();
      ASSERT_TRUE(writer_->SaveDelivery(delivery));
    }
  }
  SinkHealth Sink() {
    const auto inputs = GatherRuleInputs(writer_->reader(), config_, clock_.Now());
    EXPECT_TRUE(inputs) << inputs.error().Text();
    return inputs->sinks.at(0);
  }

  const std::string folder_ = ::testing::TempDir() + "rule_inputs_" + std::to_string(::getpid()) +
                              "_" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
  ManualClock clock_{100 * kMinute};
  std::unique_ptr<HistoryWriter> writer_;
  Config config_;
  std::int64_t run_ = 0;
};

TEST_F(RuleInputsTest, CountWhatASinkHasNotTakenSinceItsLastDelivery) {
  EXPECT_EQ(Sink().pending, 0);
  Fire("one");
  const UnixMillis first = clock_.Now();
  clock_.Advance(std::chrono::minutes(3));
  Fire("two");
  EXPECT_EQ(Sink().pending, 2);
  EXPECT_EQ(Sink().oldest_pending_at, first);
  // A failed attempt changes the row, not when it came.
  clock_.Advance(std::chrono::minutes(1));
  Answer("one", "pending", "HTTP 500");
  EXPECT_EQ(Sink().oldest_pending_at, first);
  EXPECT_EQ(Sink().last_outcome, "HTTP 500");
  Answer("one", "dead", "HTTP 404");
  EXPECT_EQ(Sink().dead, 1);
  EXPECT_EQ(Sink().last_outcome, "HTTP 404");
  clock_.Advance(std::chrono::minutes(1));
  Answer("two", "delivered", "HTTP 200");
  EXPECT_EQ(Sink().dead, 0);
  EXPECT_EQ(Sink().pending, 0);
  EXPECT_EQ(Sink().last_delivered_at, clock_.Now());
  // A repeat hours later waits from then on, not from when the alert fired.
  clock_.Advance(std::chrono::hours(4));
  Tell("two", 1);
  EXPECT_EQ(Sink().pending, 1);
  EXPECT_EQ(Sink().oldest_pending_at, clock_.Now());
}

TEST_F(RuleInputsTest, ShowCheckpointsAsTheyWereThen) {
  SaveCheckpoint(1, CheckpointState::kEvaluated, 10 * kMinute, 20 * kMinute);
  SaveCheckpoint(2, CheckpointState::kRefused, 30 * kMinute, 40 * kMinute);
  const auto at = [&](UnixMillis now) {
    return GatherRuleInputs(writer_->reader(), config_, now, /*as_of_then=*/true)
        ->runs.at(0)
        .checkpoints;
  };
  EXPECT_TRUE(at(5 * kMinute).empty());
  ASSERT_EQ(at(15 * kMinute).size(), 1u);
  EXPECT_EQ(at(15 * kMinute)[0].state, CheckpointState::kQueued);
  EXPECT_EQ(at(20 * kMinute)[0].state, CheckpointState::kEvaluated);
  ASSERT_EQ(at(35 * kMinute).size(), 2u);
  EXPECT_EQ(at(35 * kMinute)[1].state, CheckpointState::kQueued);
  EXPECT_EQ(at(40 * kMinute)[1].state, CheckpointState::kRefused);
}

TEST_F(RuleInputsTest, TakeARunThatEndedLaterForAliveThen) {
  ASSERT_TRUE(writer_->SetValue("ended:a", FormatTime(50 * kMinute)));
  const auto alive = [&](UnixMillis now, bool as_of_then) {
    return GatherRuleInputs(writer_->reader(), config_, now, as_of_then)->runs.at(0).alive;
  };
  EXPECT_TRUE(alive(49 * kMinute, true));
  EXPECT_FALSE(alive(50 * kMinute, true));
  EXPECT_FALSE(alive(49 * kMinute, false));
}

}  // namespace
}  // namespace couplingd
