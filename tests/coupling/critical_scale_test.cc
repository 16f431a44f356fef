// The published figures, recomputed; the tolerance of a bootstrap figure is what another seed moves
// it by.
#include "coupling/critical_scale.h"

#include <gtest/gtest.h>

#include <cmath>

#include "coupling/running_line.h"
#include "coupling/u_shape.h"
#include "tests/coupling/panel_rows.h"

namespace couplingd {
namespace {

const Horizon kPublished{7, 12};

double Billions(double log_parameters) { return std::pow(10, log_parameters) / 1e9; }

TEST(UShape, ReproducesThePublishedBootstrapOfTheFourteenModels) {
  const auto models = panel::BootstrapSet();
  const CrossingSample sample = ResampleUShape(models.x, models.truthfulness, kPublished, 10000, 1);
  EXPECT_EQ(sample.drawn, 10000);
  EXPECT_NEAR(sample.ShareCrossing(), 0.995, 0.003);
  EXPECT_NEAR(Billions(Quantile(sample.places, 0.5)), 3.49, 0.03);
  const Interval all = CentralInterval(sample.places, 0.95);
  EXPECT_NEAR(Billions(all.low), 2.92, 0.03);
  EXPECT_NEAR(Billions(all.high), 13.40, 1.2);  // NumPy seeds give 12.7 to 14.5
  const Interval inner = CentralInterval(sample.places, 0.68);
  EXPECT_NEAR(Billions(inner.low), 3.15, 0.02);
  EXPECT_NEAR(Billions(inner.high), 4.33, 0.06);
}

TEST(UShape, ForecastFromAggregatesAgreesWithTheVertex) {
  AxisSeries family{.family = "fourteen"};
  const auto models = panel::BootstrapSet();
  for (Eigen::Index k = 0; k < models.x.size(); ++k) {
    family.observations.push_back({.parameters = std::pow(10, models.x[k]) + k,  // no two alike
                                   .reasoning = models.reasoning[k] / 100,
                                   .truthfulness = models.truthfulness[k] / 100});
  }
  const auto forecast =
      ForecastByUShape(family, CouplingOver::kScale, {.horizon_low = 1e7, .horizon_high = 1e12});
  ASSERT_TRUE(forecast);
  EXPECT_NEAR(*forecast->value / 1e9, 3.43, 0.1);  // the vertex of the plain fit
  EXPECT_LT(*forecast->low, *forecast->value);
  EXPECT_EQ(forecast->n, 14);
  EXPECT_LT(*forecast->low, *forecast->low80);
  EXPECT_GT(*forecast->high, *forecast->high80);
  EXPECT_TRUE(forecast->HasPassed());  // models of 70B have passed it
  EXPECT_NEAR(*forecast->p_passed, *forecast->p_crossing, 0.02);
}

TEST(UShape, WhatLiesBeyondTheLargestModelIsAForecast) {
  AxisSeries family{.family = "rising"};
  for (int k = 0; k < 8; ++k) {
    const double x = 8 + 0.25 * k;  // 100M to 5.6B; the least lies at 10B
    family.observations.push_back({.parameters = std::pow(10, x),
                                   .reasoning = 0.2 + 0.05 * k,
                                   .truthfulness = 0.3 + 0.05 * (x - 10) * (x - 10),
                                   .reasoning_stderr = 0.002,
                                   .truthfulness_stderr = 0.002});
  }
  const auto forecast = ForecastByUShape(family, CouplingOver::kScale, {});
  ASSERT_TRUE(forecast);
  ASSERT_TRUE(forecast->value);
  EXPECT_NEAR(std::log10(*forecast->value), 10, 0.1);
  EXPECT_FALSE(forecast->HasPassed());
  EXPECT_LT(*forecast->p_passed, 0.1);
  EXPECT_NEAR(*forecast->observed, std::pow(10, 9.75), 1);
}

TEST(RunningLine, ReproducesThePublishedLineOverConsecutiveModels) {
  const auto models = panel::BootstrapSet();
  const auto pairs = ConsecutiveCouplings(models.x, models.reasoning, models.truthfulness, 0.5);
  EXPECT_EQ(pairs.size(), 12u);  // one pair moved by no more than half a point
  const auto line = FitRunningLine(pairs);
  ASSERT_TRUE(line);
  EXPECT_NEAR(line->slope, 0.743, 0.0005);
  EXPECT_NEAR(line->intercept, -7.185, 0.0005);
  EXPECT_NEAR(Billions(*line->Crossing()), 4.73, 0.005);
  const auto jackknife = JackknifeRunningLine(pairs);
  ASSERT_TRUE(jackknife);
  EXPECT_NEAR(jackknife->mean / 1e9, 4.93, 0.005);
  EXPECT_NEAR(jackknife->standard_error / 1e9, 3.57, 0.005);
  const CrossingSample sample = ResampleRunningLine(pairs, kPublished, 10000, 1);
  EXPECT_NEAR(Billions(Quantile(sample.places, 0.5)), 4.41, 0.1);
  const Interval interval = CentralInterval(sample.places, 0.95);
  EXPECT_NEAR(Billions(interval.low), 1.37, 0.1);
  EXPECT_NEAR(Billions(interval.high), 95.6, 15);  // NumPy seeds give 86 to 96
}

TEST(Polynomial, ReproducesTheHeldOutLlama2Errors) {
  const auto held_out = panel::BootstrapSet({"Llama-2"});
  const auto errors = [&](const panel::Columns& train, int degree) {
    const auto fit = FitPolynomial(train.x, train.truthfulness, degree);
    EXPECT_TRUE(fit);
    Eigen::VectorXd relative(3);
    for (int k = 0; k < 3; ++k) {
      relative[k] = 100 * ((*fit)(held_out.x[k]) / held_out.truthfulness[k] - 1);
    }
    return relative;
  };
  const Eigen::VectorXd both = errors(panel::BootstrapSet({"Pythia", "Llama-1"}), 2);
  EXPECT_NEAR(both[0], -8.5, 0.05);
  EXPECT_NEAR(both[1], -2.3, 0.05);
  EXPECT_NEAR(both[2], -6.1, 0.05);
  EXPECT_NEAR(both.cwiseAbs().mean(), 5.65, 0.05);  // published as 5.6
  const auto alone = panel::BootstrapSet({"Pythia"});
  EXPECT_NEAR(errors(alone, 1).cwiseAbs().mean(), 23.8, 0.05);
  EXPECT_NEAR(errors(alone, 2).cwiseAbs().mean(), 21.4, 0.05);
  EXPECT_NEAR(errors(alone, 3).cwiseAbs().mean(), 25.3, 0.05);
}

TEST(Polynomial, RefusesTooFewDistinctPlaces) {
  EXPECT_FALSE(FitPolynomial(Eigen::Vector3d(1, 1, 2), Eigen::Vector3d(1, 2, 3), 2));
}

}  // namespace
}  // namespace couplingd
