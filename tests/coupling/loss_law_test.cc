#include "coupling/loss_law.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/coupling/fixtures.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

TEST(LossLaw, IsTheLeastSquaresFitOfScipy) {
  const JsonDocument document = fixtures::Read("item_statistics.json");
  for (const JsonValue& one : document["loss_law"].GetArray()) {
    const auto fit = FitLossLaw(fixtures::Vector(one["x"]), fixtures::Vector(one["loss"]), {});
    ASSERT_TRUE(fit) << fit.error().Text();
    EXPECT_NEAR(fit->law.floor, one["floor"].GetDouble(), 1e-6);
    EXPECT_NEAR(fit->law.exponent, one["exponent"].GetDouble(), 1e-6);
    EXPECT_NEAR(fit->residuals.squaredNorm() / one["squares"].GetDouble(), 1, 1e-8);
    EXPECT_LT(fit->exponent.low, fit->law.exponent);
    EXPECT_GT(fit->exponent.high, fit->law.exponent);
  }
}

TEST(LossLaw, RefusesWhatDoesNotFallOrIsTooShort) {
  const Eigen::VectorXd x = Eigen::VectorXd::LinSpaced(8, 1, 8);
  EXPECT_THAT(FitLossLaw(x.head(4), x.head(4), {}).error().message, HasSubstr("5 are needed"));
  EXPECT_THAT(FitLossLaw(x, x, {}).error().message, HasSubstr("does not fall"));
  EXPECT_THAT(FitLossLaw(x.reverse(), x, {}).error().message, HasSubstr("must rise"));
}

TEST(LossLaw, IntervalsHoldTheExponent) {
  const Eigen::VectorXd x = Eigen::VectorXd::LinSpaced(60, 0, 4.6).array().exp() * 1e8;
  const PowerLaw truth{1.8, 40, 0.15};
  std::mt19937_64 engine(4);
  std::normal_distribution<double> normal;
  int held = 0;
  constexpr int kRepetitions = 60;
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    Eigen::VectorXd losses(x.size());
    for (Eigen::Index i = 0; i < x.size(); ++i) losses[i] = truth(x[i]) + 0.01 * normal(engine);
    const auto fit = FitLossLaw(x, losses, {.replicates = 200});
    ASSERT_TRUE(fit);
    held += fit->exponent.low <= truth.exponent && truth.exponent <= fit->exponent.high;
  }
  EXPECT_GE(held, 50);  // 95 % of 60 is 57
}

TEST(LossLaw, AStepIsFoundWhereItIsAndNotWhereThereIsNone) {
  const Eigen::Index n = 200;
  const Eigen::VectorXd x = Eigen::VectorXd::LinSpaced(n, 1, 200);
  std::mt19937_64 engine(4);
  std::normal_distribution<double> normal;
  int alarms = 0;
  constexpr int kRepetitions = 200;
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    Eigen::VectorXd residuals(n);
    for (Eigen::Index i = 0; i < n; ++i) residuals[i] = normal(engine);
    const auto none = TestStepAt(x, residuals, 100.5, 10);
    ASSERT_TRUE(none);
    alarms += none->p < 0.05;
    if (repetition > 0) continue;
    residuals.tail(n / 2).array() += 4;
    const auto found = TestStepAt(x, residuals, 100.5, 10);
    EXPECT_NEAR(found->step, 4, 1.5);
    EXPECT_LT(found->p, 0.02);
    EXPECT_LT(found->detectable, 2);
  }
  EXPECT_LE(alarms, 0.05 * kRepetitions + 3 * std::sqrt(0.05 * 0.95 * kRepetitions));
  EXPECT_FALSE(TestStepAt(x, Eigen::VectorXd::Zero(n), 2, 10));
  EXPECT_FALSE(TestStepAt(x.head(30), Eigen::VectorXd::Zero(30), 15, 10));
}

}  // namespace
}  // namespace couplingd
