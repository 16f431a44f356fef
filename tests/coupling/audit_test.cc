// Does an interval do what it says? Repeated simulation with known truth and fixed seeds.
#include <gtest/gtest.h>

#include <cmath>

#include "coupling/critical_scale.h"
#include "coupling/local_coupling.h"
#include "coupling/york.h"
#include "tests/coupling/simulation.h"

namespace couplingd {
namespace {

using simulation::Setting;
using simulation::Simulate;
using simulation::Trajectory;

struct Coverage {
  int runs = 0;
  int covered = 0;
  int tax = 0;
  int bonus = 0;
  double mean = 0;
};

Coverage Measure(double gamma, double change, const Setting& setting, int checkpoints = 8,
                 int runs = 400) {
  Trajectory truth;
  for (int k = 0; k < checkpoints; ++k) {
    const double share = static_cast<double>(k) / (checkpoints - 1) - 0.5;
    truth.places.push_back(std::round(1000 * std::pow(10, 0.6 * share)));
    truth.reasoning.push_back(0.5 + change * share);
    truth.truthfulness.push_back(0.45 + gamma * change * share);
  }
  Coverage seen{.runs = runs};
  for (int i = 0; i < runs; ++i) {
    const auto local =
        CouplingOverSteps(Simulate(truth, CouplingOver::kSteps, setting, 1000 + i),
                          {.replicates = 400, .seed = static_cast<std::uint64_t>(i)});
    if (!local || !local->estimate.gamma) {
      ADD_FAILURE() << "no estimate";
      return seen;
    }
    const CouplingEstimate& estimate = local->estimate;
    seen.covered += *estimate.low <= gamma && gamma <= *estimate.high;
    seen.tax += estimate.phase == Phase::kTax;
    seen.bonus += estimate.phase == Phase::kBonus;
    seen.mean += *estimate.gamma / runs;
  }
  return seen;
}

// Three standard errors of a binomial share of 0.95 over 400 runs are 0.033.
constexpr double kSlack = 0.033;

TEST(Audit, IntervalsCoverANullOf400ItemsIn95Percent) {
  const Coverage seen = Measure(0, 0.3, {});
  EXPECT_NEAR(static_cast<double>(seen.covered) / seen.runs, 0.95, kSlack);
  EXPECT_NEAR(seen.mean, 0, 0.01);
  EXPECT_EQ(seen.tax + seen.bonus, 0);
}

TEST(Audit, IntervalsCoverATaxUnderCheckpointNoiseIn95Percent) {
  const Coverage seen = Measure(-0.5, 0.3, {.checkpoint_noise = 0.01});
  EXPECT_NEAR(static_cast<double>(seen.covered) / seen.runs, 0.95, kSlack);
  EXPECT_NEAR(seen.mean, -0.5, 0.01);
  EXPECT_EQ(seen.tax, seen.runs);
}

TEST(Audit, ANullUnderHeavyCheckpointNoiseRarelyClaimsAPhase) {
  const Coverage seen = Measure(0, 0.3, {.checkpoint_noise = 0.03});
  EXPECT_GT(static_cast<double>(seen.covered) / seen.runs, 0.95 - kSlack);
  EXPECT_LE(seen.tax + seen.bonus, 20);  // 5 % of 400
}

TEST(Audit, FourCheckpointsAreTreatedAsFew) {
  const Coverage seen = Measure(0, 0.3, {.checkpoint_noise = 0.01}, 4);
  EXPECT_GT(static_cast<double>(seen.covered) / seen.runs, 0.88);
  EXPECT_LE(seen.tax + seen.bonus, 20);
}

// Nothing moves at all: no slope exists, and no more than the level's share may claim one.
TEST(Audit, AStandstillRarelyClaimsAPhase) {
  const Coverage seen = Measure(0, 0, {.checkpoint_noise = 0.01});
  EXPECT_LE(seen.tax + seen.bonus, 20);
}

// A run whose truthfulness is a parabola in log tokens, under noise between checkpoints.
TEST(Audit, ForecastIntervalsHoldTheTurn) {
  Trajectory truth;
  for (int k = 0; k < 24; ++k) {
    const double x = k / 23.0;
    truth.places.push_back(std::round(1000 * std::pow(10, 1.2 * x)));
    truth.reasoning.push_back(0.3 + 0.5 * x);
    truth.truthfulness.push_back(0.4 + 0.6 * (x - 0.5) * (x - 0.5));
  }
  const double turn = 400 * 1000 * std::pow(10, 0.6);
  constexpr int kRuns = 100;
  int by_shape = 0, by_line = 0;
  for (int i = 0; i < kRuns; ++i) {
    const AxisSeries series = Simulate(
        truth, CouplingOver::kSteps,
        {.reasoning_items = 1000, .truthfulness_items = 1000, .checkpoint_noise = 0.01}, 3000 + i);
    const ForecastOptions options{.replicates = 400, .seed = static_cast<std::uint64_t>(i)};
    const auto shape = ForecastByUShape(series, CouplingOver::kSteps, options);
    const auto line = ForecastByLine(series, CouplingOver::kSteps, options);
    ASSERT_TRUE(shape && shape->value && line && line->value);
    by_shape += *shape->low <= turn && turn <= *shape->high;
    by_line += *line->low <= turn && turn <= *line->high;
  }
  EXPECT_GE(by_shape, 88);  // 95 less three standard errors
  EXPECT_GE(by_line, 88);
}

TEST(Audit, TheYorkSlopeIsUnbiasedWhereLeastSquaresIsAttenuated) {
  std::mt19937_64 engine(3);
  std::normal_distribution<double> normal;
  const double error = 0.05, spread = 0.1, slope = -0.6;
  double york = 0, least_squares = 0;
  constexpr int kRuns = 400, kPoints = 40;
  for (int run = 0; run < kRuns; ++run) {
    std::vector<ErrorPoint> points;
    double xx = 0, xy = 0, mean_x = 0, mean_y = 0;
    for (int k = 0; k < kPoints; ++k) {
      const double truth = spread * normal(engine);
      points.push_back({truth + error * normal(engine), slope * truth + error * normal(engine),
                        error * error, error * error, 0});
      mean_x += points.back().x / kPoints;
      mean_y += points.back().y / kPoints;
    }
    for (const ErrorPoint& p : points) {
      xx += (p.x - mean_x) * (p.x - mean_x);
      xy += (p.x - mean_x) * (p.y - mean_y);
    }
    const auto fit = FitYork(points);
    ASSERT_TRUE(fit);
    york += fit->slope / kRuns;
    least_squares += xy / xx / kRuns;
  }
  EXPECT_NEAR(york, slope, 0.02);
  EXPECT_NEAR(least_squares, slope * spread * spread / (spread * spread + error * error), 0.02);
}

}  // namespace
}  // namespace couplingd
