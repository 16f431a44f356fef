#include "queries/false_alarms.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "alerts/false_alarms.h"
#include "alerts/rules.h"

namespace couplingd {
namespace {

class FalseAlarmDigest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(directory_);
    auto writer = HistoryWriter::Open(directory_, clock_);
    ASSERT_TRUE(writer) << writer.error().Text();
    writer_ = *std::move(writer);
    config_.runs = {{.name = "a"}, {.name = "b"}};
    config_.axes = {{"one", {"r", "acc"}, {"t", "acc"}}, {"two", {"r", "acc"}, {"u", "acc"}}};
    config_.rules = {{.name = "tax", .kind = "phase"},
                     {.name = "bonus",
                      .kind = "phase",
                      .axes = "two",
                      .phase = "bonus",
                      .false_alarm_rate = 0.1},
                     {.name = "turn", .kind = "sign_change"}};
  }

  void Record(const std::string& run, int generation, const AxisPair& axes, int count) {
    for (int k = 1; k <= count; ++k) {
      CouplingEstimate estimate{.family = "f", .run = run, .generation = generation};
      estimate.axes = AxesText(axes);
      estimate.at = k;
      estimate.evidence = PhaseEvidence{};
      const Status saved = writer_->SaveCoupling(estimate);
      ASSERT_TRUE(saved) << saved.error().Text();
    }
  }

  const std::string directory_ =
      ::testing::TempDir() + "false_alarms_test-" + std::to_string(::getpid());
  ManualClock clock_{1000};
  Config config_;
  std::unique_ptr<HistoryWriter> writer_;
};

TEST_F(FalseAlarmDigest, AddsUpWhatEveryRuleMaySpendOnEveryRunGenerationAndPair) {
  Record("a", 1, config_.axes[0], 3);
  Record("a", 2, config_.axes[0], 5);
  Record("a", 2, config_.axes[1], 5);
  Record("b", 1, config_.axes[1], 2);
  Record("imported", 1, config_.axes[0], 7);
  const auto budgets = FalseAlarmBudgets(writer_->reader(), config_);
  ASSERT_TRUE(budgets) << budgets.error().Text();
  ASSERT_EQ(budgets->size(), 2u);
  const FalseAlarmBudget &tax = (*budgets)[0], &bonus = (*budgets)[1];
  EXPECT_EQ(tax.rule, "tax");
  EXPECT_EQ(tax.series, 4);
  EXPECT_EQ(tax.estimates, 15);
  EXPECT_DOUBLE_EQ(tax.expected, SpentRate(0.01, 3) + 2 * SpentRate(0.01, 5) + SpentRate(0.01, 2));
  EXPECT_EQ(bonus.series, 2);
  EXPECT_DOUBLE_EQ(bonus.expected, SpentRate(0.1, 5) + SpentRate(0.1, 2));
  JsonWriter json;
  WriteFalseAlarms(json, *budgets);
  const std::string text = json.Text();
  EXPECT_NE(text.find("\"estimates\":15"), std::string::npos) << text;
}

TEST_F(FalseAlarmDigest, CountsEveryLookAtFamiliesAndAtCheckpointsEvaluatedAgain) {
  ASSERT_TRUE(writer_->SaveRun({.name = "a", .family = "f"}));
  Record("a", 1, config_.axes[0], 2);
  CouplingEstimate again{.family = "f", .run = "a", .axes = AxesText(config_.axes[0]), .at = 2};
  again.evidence = PhaseEvidence{.below_tax = 0.5};
  ASSERT_TRUE(writer_->SaveCoupling(again));  // the newest step once more: a look
  ASSERT_TRUE(writer_->SaveCoupling(again));  // the same estimate: none
  again.at = 1;
  ASSERT_TRUE(writer_->SaveCoupling(again));  // not the newest: none
  CouplingEstimate scale{.family = "f", .axes = AxesText(config_.axes[0]), .at = 1e9};
  scale.over = CouplingOver::kScale;
  ASSERT_TRUE(writer_->SaveCoupling(scale));  // without evidence
  for (const double p_value : {0.5, 0.2, 0.1}) {
    scale.evidence = PhaseEvidence{.below_tax = p_value};
    ASSERT_TRUE(writer_->SaveCoupling(scale));
  }
  const auto budgets = FalseAlarmBudgets(writer_->reader(), config_);
  ASSERT_TRUE(budgets);
  EXPECT_EQ((*budgets)[0].series, 2);
  EXPECT_EQ((*budgets)[0].estimates, 3 + 3);
  EXPECT_DOUBLE_EQ((*budgets)[0].expected, 2 * SpentRate(0.01, 3));
}

TEST_F(FalseAlarmDigest, DoesNotCountEstimatesWithoutEvidence) {
  CouplingEstimate open{.family = "f", .run = "a", .axes = AxesText(config_.axes[0])};
  ASSERT_TRUE(writer_->SaveCoupling(open));
  const auto budgets = FalseAlarmBudgets(writer_->reader(), config_);
  ASSERT_TRUE(budgets);
  EXPECT_EQ((*budgets)[0].expected, 0);
  EXPECT_EQ((*budgets)[0].series, 0);
}

}  // namespace
}  // namespace couplingd
