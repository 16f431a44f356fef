#include "queries/replay_answer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "alerts/lifecycle.h"
#include "base/json.h"

namespace couplingd {
namespace {

constexpr UnixMillis kMinute = 60000;
constexpr UnixMillis kStart = 1795442700000;

class ReplayTest : public ::testing::Test {
 protected:
  ReplayTest() {
    std::filesystem::remove_all(folder_);
    writer_ = *HistoryWriter::Open(folder_, clock_);
    run_ = *writer_->SaveRun({.name = "web-1b", .family = "web"});
    config_.runs = {{.name = "web-1b", .family = "web"}};
    config_.axes = {{"default", {"r", "acc"}, {"t", "acc"}}};
    config_.rules = {{.name = "tax", .kind = "phase"}};
  }
  ~ReplayTest() override { std::filesystem::remove_all(folder_); }

  // At `minute`; sure of the tax, or of the bonus.
  void Couple(int minute, double at, bool tax) {
    SetTime(minute);
    CouplingEstimate estimate{.family = "web", .run = "web-1b", .axes = "r.acc,t.acc", .at = at};
    estimate.gamma = tax ? -0.4 : 0.4;
    estimate.low = *estimate.gamma - 0.1;
    estimate.high = *estimate.gamma + 0.1;
    estimate.phase = tax ? Phase::kTax : Phase::kBonus;
    estimate.evidence =
        tax ? PhaseEvidence{1e-9, 1e-9, 1, 1e-9, 1} : PhaseEvidence{1e-9, 1, 1e-9, 1, 1e-9};
    estimate.n = 8;
    ASSERT_TRUE(writer_->SaveCoupling(estimate));
  }
  void Found(int found, int changed, std::int64_t step, CheckpointState state) {
    Checkpoint checkpoint;
    checkpoint.run_id = run_;
    checkpoint.step = step;
    checkpoint.path = "/web/" + std::to_string(step);
    checkpoint.state = state;
    checkpoint.discovered_at = kStart + found * kMinute;
    checkpoint.updated_at = kStart + changed * kMinute;
    ASSERT_TRUE(writer_->SaveCheckpoint(checkpoint));
  }
  void SetTime(int minute) {
    clock_.Advance(std::chrono::milliseconds(kStart + minute * kMinute - clock_.Now()));
  }
  JsonDocument Replay(int from, int to, const std::string& run = "") {
    ReplayOptions options{kStart + from * kMinute, kStart + to * kMinute, run};
    const auto text = ReplayAlerts(writer_->reader(), config_, options);
    EXPECT_TRUE(text) << text.error().Text();
    return std::move(*ParseJson(text.value_or("[]"), "replay"));
  }
  static std::string At(int minute) { return FormatTime(kStart + minute * kMinute); }

  const std::string folder_ = ::testing::TempDir() + "replay_" + std::to_string(::getpid()) + "_" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
  ManualClock clock_{kStart};
  std::unique_ptr<HistoryWriter> writer_;
  Config config_;
  std::int64_t run_ = 0;
};

TEST_F(ReplayTest, FiresAndResolvesWhenWhatDecidedWasRecorded) {
  Couple(10, 100, true);
  Couple(20, 200, true);
  Couple(30, 300, false);
  const JsonDocument rows = Replay(0, 60);
  ASSERT_EQ(rows.Size(), 1u);
  EXPECT_EQ(rows[0]["fired_at"].GetString(), At(10));
  EXPECT_EQ(rows[0]["resolved_at"].GetString(), At(30));
  EXPECT_EQ(rows[0]["seconds"].GetDouble(), 20 * 60);
  EXPECT_STREQ(rows[0]["really"].GetString(), "not");
  EXPECT_FALSE(rows[0]["from_start"].GetBool());
}

TEST_F(ReplayTest, SaysWhatHeldAlreadyWhereItBegins) {
  Couple(10, 100, true);
  Couple(30, 300, true);
  const JsonDocument rows = Replay(20, 60);
  ASSERT_EQ(rows.Size(), 1u);
  EXPECT_TRUE(rows[0]["from_start"].GetBool());
  EXPECT_TRUE(rows[0]["resolved_at"].IsNull());
}

TEST_F(ReplayTest, StandsBesideWhatReallyFired) {
  Couple(10, 100, true);
  Alert real;
  real.key = AlertKey("tax", "web-1b", "r.acc,t.acc,steps");
  real.sequence = 1;
  real.starts_at = clock_.Now();
  real.finding.rule = "tax";
  real.finding.run = "web-1b";
  ASSERT_TRUE(writer_->SaveAlert(real));
  JsonDocument rows = Replay(0, 60);
  ASSERT_EQ(rows.Size(), 1u);
  EXPECT_STREQ(rows[0]["really"].GetString(), "too");
  EXPECT_EQ(rows[0]["real_fired_at"].GetString(), At(10));
  config_.rules[0].phase = "bonus";
  config_.rules[0].name = "other";
  rows = Replay(0, 60);
  ASSERT_EQ(rows.Size(), 1u);
  EXPECT_STREQ(rows[0]["really"].GetString(), "only");
  EXPECT_TRUE(rows[0]["fired_at"].IsNull());
  EXPECT_EQ(Replay(0, 60, "elsewhere").Size(), 0u);
}

TEST_F(ReplayTest, FindsWhatTimeAloneTurns) {
  config_.rules = {{.name = "overdue", .kind = "checkpoint_overdue"}};
  config_.runs[0].overdue_after = std::chrono::minutes(10);
  Found(0, 1, 1000, CheckpointState::kEvaluated);
  Found(40, 41, 2000, CheckpointState::kEvaluated);
  const JsonDocument rows = Replay(-5, 45);
  ASSERT_EQ(rows.Size(), 1u);
  EXPECT_EQ(rows[0]["fired_at"].GetString(), At(11));
  EXPECT_EQ(rows[0]["resolved_at"].GetString(), At(40));
}

TEST_F(ReplayTest, TakesWhatOneTransactionRecordedTogether) {
  config_.rules[0].hold = 2;
  Couple(10, 100, true);
  // The estimates of steps 200 and 300 came at once, half a second apart.
  Couple(20, 300, true);
  clock_.Advance(std::chrono::milliseconds(500));
  CouplingEstimate between{.family = "web", .run = "web-1b", .axes = "r.acc,t.acc", .at = 200};
  between.gamma = 0.4;
  between.phase = Phase::kBonus;
  between.evidence = PhaseEvidence{1e-9, 1, 1e-9, 1, 1e-9};
  ASSERT_TRUE(writer_->SaveCoupling(between));
  EXPECT_EQ(Replay(0, 60).Size(), 0u);
}

TEST_F(ReplayTest, WatchesEverythingWhereTheConfigurationNamesNoRun) {
  Couple(10, 100, true);
  config_.runs.clear();
  EXPECT_EQ(Replay(0, 60).Size(), 1u);
}

}  // namespace
}  // namespace couplingd
