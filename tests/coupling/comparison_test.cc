#include "coupling/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coupling/audit.h"
#include "coupling/item_statistics.h"
#include "tests/coupling/fixtures.h"
#include "tests/coupling/simulation.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

TEST(Comparison, IsWelchsTestOfTheTwoPartsOfTheVariance) {
  const JsonDocument document = fixtures::Read("item_statistics.json");
  for (const JsonValue& one : document["welch"].GetArray()) {
    const DifferenceTest test = TestDifference({.value = one["value"].GetDouble(),
                                                .item_variance = one["item_variance"].GetDouble(),
                                                .item_dof = one["item_dof"].GetDouble(),
                                                .step_variance = one["step_variance"].GetDouble(),
                                                .step_dof = one["step_dof"].GetDouble()},
                                               0.95);
    EXPECT_NEAR(test.p, one["p"].GetDouble(), 1e-10);
    EXPECT_NEAR(test.interval.low, one["low"].GetDouble(), 1e-9);
    EXPECT_NEAR(test.interval.high, one["high"].GetDouble(), 1e-9);
  }
}

TEST(Comparison, SaysWhatWouldSettleAndForWhichPartOfTheNoise) {
  const double value = 0.01 * DetectionFactor(0.95, 0.8);  // the variance wanted is 1e-4
  const auto settles = [&](double items, double steps) {
    return WhatSettlesDifference(
        {.value = value, .item_variance = items, .items = 500, .step_variance = steps}, 0.95, 0.8);
  };
  EXPECT_THAT(settles(3.001e-4, 0), HasSubstr("about 1501 items (now 500) would settle it"));
  EXPECT_THAT(settles(3.001e-4, 0.5e-4), HasSubstr("about 3001 items (now 500)"));
  EXPECT_THAT(settles(0.2e-4, 4.1e-4), HasSubstr("the mean of about 6 checkpoints of each run"));
  EXPECT_THAT(settles(2.1e-4, 2.1e-4),
              HasSubstr("about 5 times the items and the mean of 5 checkpoints"));
  EXPECT_THAT(settles(1, 0), HasSubstr("no practical amount"));
}

TEST(Comparison, RecoversVariancesFromIntervalsThatNeedNotBeSymmetric) {
  // With symmetric intervals it is the usual difference of two normal estimates.
  const DifferenceTest even =
      CompareEstimates({1, 1 - 1.96, 1 + 1.96}, {4, 4 - 1.96, 4 + 1.96}, 0.95);
  EXPECT_NEAR(even.interval.low, 3 - 1.96 * std::sqrt(2), 1e-12);
  EXPECT_NEAR(even.interval.high, 3 + 1.96 * std::sqrt(2), 1e-12);
  EXPECT_NEAR(even.p, 0.033894, 1e-5);
  const DifferenceTest skew = CompareEstimates({1, 0.9, 3}, {4, 3, 4.1}, 0.95);
  EXPECT_NEAR(skew.interval.low, 3 - std::hypot(1, 2), 1e-12);
  EXPECT_NEAR(skew.interval.high, 3 + std::hypot(0.1, 0.1), 1e-12);
  const DifferenceTest open = CompareEstimates({1, -INFINITY, INFINITY}, {4, 3, 5}, 0.95);
  EXPECT_TRUE(std::isinf(open.interval.low));
  EXPECT_EQ(open.p, 1);
}

TEST(Audit, RelabellingGivesThePOfScipy) {
  const JsonDocument document = fixtures::Read("item_statistics.json");
  for (const JsonValue& one : document["relabelling"].GetArray()) {
    const Eigen::VectorXd x = fixtures::Vector(one["x"]), y = fixtures::Vector(one["y"]);
    const auto null =
        one["changes"].GetBool() ? RelabelChanges(x, y, 99, 1) : RelabelTruthfulness(x, y, 99, 1);
    ASSERT_TRUE(null) << null.error().Text();
    EXPECT_TRUE(null->is_exact);
    EXPECT_EQ(null->labellings, one["labellings"].GetInt());
    EXPECT_NEAR(null->observed, one["r"].GetDouble(), 1e-12);
    EXPECT_NEAR(null->p, one["p"].GetDouble(), 1e-12);
  }
}

TEST(Audit, DrawnLabellingsKeepTheirSizeWhereNothingIsCoupled) {
  std::mt19937_64 engine(3);
  std::normal_distribution<double> normal;
  int rejected = 0, drifting = 0;
  constexpr int kRepetitions = 200;
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    Eigen::VectorXd x(12), y(12);
    for (int k = 0; k < 12; ++k) x[k] = normal(engine), y[k] = normal(engine);
    rejected += RelabelTruthfulness(x, y, 199, 1)->p <= 0.05;
    // Two random walks with a drift in common.
    for (int k = 1; k < 12; ++k) x[k] = x[k - 1] + 1 + 0.3 * x[k], y[k] = y[k - 1] + 1 + 0.3 * y[k];
    drifting += RelabelChanges(x, y, 199, 1)->p <= 0.05;
  }
  EXPECT_NEAR(rejected, 0.05 * kRepetitions, 3 * std::sqrt(0.05 * 0.95 * kRepetitions));
  EXPECT_NEAR(drifting, 0.05 * kRepetitions, 3 * std::sqrt(0.05 * 0.95 * kRepetitions));
}

TEST(Audit, APlaceThatCarriesTheResultShowsWhenItIsLeftOut) {
  simulation::Trajectory truth;
  for (int k = 0; k < 8; ++k) {
    truth.places.push_back(1e8 * std::pow(2, k));
    truth.reasoning.push_back(0.3 + 0.05 * k);
    truth.truthfulness.push_back(0.6 - 0.04 * k);
  }
  const CouplingOptions options{.replicates = 200};
  const auto steady = DropEachCheckpoint(
      simulation::Simulate(truth, CouplingOver::kSteps,
                           {.reasoning_items = 2000, .truthfulness_items = 2000}, 5),
      options);
  ASSERT_TRUE(steady) << steady.error().Text();
  ASSERT_EQ(steady->size(), 8u);
  for (const WithoutPlace& one : *steady) EXPECT_EQ(one.phase, Phase::kTax) << one.at;
  // Flat, but for the last checkpoint.
  for (int k = 0; k < 7; ++k) truth.reasoning[k] = 0.3 + 0.01 * k, truth.truthfulness[k] = 0.6;
  truth.reasoning[7] = 0.7;
  truth.truthfulness[7] = 0.3;
  const auto carried = DropEachCheckpoint(
      simulation::Simulate(truth, CouplingOver::kSteps,
                           {.reasoning_items = 2000, .truthfulness_items = 2000}, 5),
      options);
  ASSERT_TRUE(carried);
  EXPECT_NE(carried->back().phase, Phase::kTax);
  const auto sizes =
      DropEachSize(simulation::Simulate(truth, CouplingOver::kScale, {}, 5), {.least_sizes = 8});
  ASSERT_FALSE(sizes);
  EXPECT_THAT(sizes.error().Text(), HasSubstr("8 sizes; 9 are needed"));
}

}  // namespace
}  // namespace couplingd
