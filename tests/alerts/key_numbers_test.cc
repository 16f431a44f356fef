#include "alerts/key_numbers.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

TEST(KeyNumbers, OfAPhaseBeginWithTheCouplingAndItsInterval) {
  Finding finding = testing::ExampleAlert().finding;
  finding.values = {{"gamma", -0.3249},
                    {"low", -0.451},
                    {"high", -0.18},
                    {"level", 0.95},
                    {"n", 8},
                    {"step", 143000},
                    {"tokens", 2.1e9},
                    {"p_value", 1.3e-4},
                    {"p_value_needed", 8e-5},
                    {"tax_bound", -0.1},
                    {"bonus_bound", 0.1}};
  EXPECT_EQ(
      KeyNumbersLine(finding),
      "γ -0.32 [-0.45, -0.18], 95 % · at step 143000, 2.1B tokens · from 8 checkpoints · noise "
      "alone 1 in 7.7k");
  EXPECT_TRUE(HasInterval(finding));
}

TEST(KeyNumbers, OfAForecastNameItsQuantityInLargeCounts) {
  Finding finding;
  finding.kind = "sign_change";
  finding.labels = {{"family", "pythia"}, {"quantity", "N_c"}};
  finding.values = {{"value", 1.2e9}, {"low", 8e8},     {"high", 2e9},         {"level", 0.95},
                    {"n", 5},         {"largest", 1e9}, {"probability", 0.987}};
  EXPECT_EQ(KeyNumbersLine(finding),
            "N_c 1.2B [800M, 2B], 95 % · from 5 sizes · probability 98.7 % · largest 1B");
}

TEST(KeyNumbers, ShowABoundThatIsNotThereAsAnOpenQuestion) {
  Finding finding = testing::ExampleAlert().finding;
  finding.values = {{"gamma", -0.32}, {"high", -0.18}};
  EXPECT_EQ(KeyNumbersLine(finding), "γ -0.32 [?, -0.18]");
}

TEST(KeyNumbers, OfAScoreAreInPercentWithItsErrorAndWhatItFellFrom) {
  Finding finding;
  finding.kind = "score_regression";
  finding.labels = {{"metric", "arc_easy.acc"}};
  finding.values = {{"value", 0.412},        {"standard_error", 0.0096},
                    {"best", 0.445},         {"best_step", 9000},
                    {"drop", 0.033},         {"n", 2376},
                    {"step", 11000},         {"p_value", 2.2e-5},
                    {"p_value_needed", 1e-4}};
  EXPECT_EQ(
      KeyNumbersLine(finding),
      "arc_easy.acc 41.2 % ± 1.9 · best 44.5 % at step 9000 · drop 3.3 points · at step 11000 · "
      "from 2376 items · noise alone 1 in 45k");
  EXPECT_TRUE(HasInterval(finding));
  finding.labels["metric"] = "wikitext.word_perplexity";
  finding.values = {{"value", 14.25}, {"standard_error", 0.1}, {"best", 12.5}};
  EXPECT_EQ(KeyNumbersLine(finding), "wikitext.word_perplexity 14.25 ± 0.2 · best 12.5");
}

TEST(KeyNumbers, OfADimensionNameIt) {
  Finding finding;
  finding.kind = "dimension_collapse";
  finding.values = {{"value", 1.32}, {"low", 1.1}, {"high", 1.6},
                    {"level", 0.95}, {"n", 12},    {"threshold", 2}};
  EXPECT_EQ(KeyNumbersLine(finding),
            "d_eff 1.32 [1.1, 1.6], 95 % · from 12 checkpoints · threshold 2");
}

TEST(KeyNumbers, OfOtherKindsAreNamedInWords) {
  Finding finding;
  finding.kind = "checkpoint_overdue";
  finding.values = {{"waited_seconds", 8100}, {"limit_seconds", 3600.4}, {"step", 500}};
  EXPECT_EQ(KeyNumbersLine(finding), "at step 500 · limit 1h · waited 2h15m");
  EXPECT_FALSE(HasInterval(finding));
}

TEST(KeyNumbers, LeaveOutWhatIsNotFinite) {
  Finding finding;
  finding.values = {{"step", std::numeric_limits<double>::infinity()},
                    {"score", std::numeric_limits<double>::quiet_NaN()}};
  EXPECT_EQ(KeyNumbersLine(finding), "");
}

}  // namespace
}  // namespace couplingd
