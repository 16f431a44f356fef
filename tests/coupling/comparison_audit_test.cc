// Does the interval of a difference between two runs hold the true difference, and how often does
// one without any pass for one?
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>

#include "coupling/comparison.h"
#include "coupling/item_statistics.h"
#include "coupling/step_noise.h"
#include "tests/coupling/simulation.h"

namespace couplingd {
namespace {

using Eigen::Index;

constexpr int kCheckpoints = 16;

NoisyTrajectory TrajectoryOf(const std::vector<std::vector<double>>& items, std::size_t first) {
  NoisyTrajectory trajectory{
      Eigen::VectorXd::LinSpaced(kCheckpoints, 9, 10.2), Eigen::VectorXd(kCheckpoints), {}};
  std::vector<const std::vector<double>*> columns;
  for (int k = 0; k < kCheckpoints; ++k) {
    columns.push_back(&items[first + static_cast<std::size_t>(k)]);
    trajectory.scores[k] = MeanOfItems(*columns.back(), {})->value;
  }
  const ItemUnits units = SumByUnit(columns, {});
  trajectory.covariance =
      UnitCovariance(units.sums, units.sums, static_cast<double>(columns[0]->size()));
  return trajectory;
}

NoisyDifference LastDifference(const std::vector<std::vector<double>>& items) {
  const auto paired = DifferenceOnItems(items[kCheckpoints - 1], items[2 * kCheckpoints - 1], {});
  NoisyDifference difference{.value = paired->difference.value,
                             .item_variance = std::pow(paired->difference.standard_error, 2),
                             .item_dof = static_cast<double>(paired->difference.clusters - 1),
                             .items = paired->difference.items};
  double parts = 0;
  for (const std::size_t first : {0, kCheckpoints}) {
    const auto noise = MeasureStepNoise(TrajectoryOf(items, first), 0.95);
    const double variance = noise->deviation * noise->deviation;
    difference.step_variance += variance;
    parts += variance * variance / noise->dof;
  }
  if (parts > 0) difference.step_dof = std::pow(difference.step_variance, 2) / parts;
  return difference;
}

struct Coverage {
  double held = 0, held_by_items_alone = 0;
};

// Two runs that rise alike, `gap` apart, scored on the same items.
Coverage Measure(double checkpoint_noise, double gap, std::uint64_t seed) {
  constexpr int kRepetitions = 400;
  std::mt19937_64 engine(seed);
  std::vector<double> expected;
  for (const double shift : {0.0, gap}) {
    for (int k = 0; k < kCheckpoints; ++k) expected.push_back(0.4 + 0.01 * k + shift);
  }
  Coverage coverage;
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    const auto items = simulation::DrawItems(
        expected, 500, {.checkpoint_noise = checkpoint_noise, .flips = 0.5}, engine);
    NoisyDifference difference = LastDifference(items);
    const auto holds = [&] {
      const Interval interval = TestDifference(difference, 0.95).interval;
      return interval.low <= gap && gap <= interval.high ? 1.0 / kRepetitions : 0.0;
    };
    coverage.held += holds();
    difference.step_variance = 0;
    coverage.held_by_items_alone += holds();
  }
  std::cout << "checkpoint noise " << checkpoint_noise << ", gap " << gap << ": held "
            << coverage.held << ", by items alone " << coverage.held_by_items_alone << "\n";
  return coverage;
}

TEST(ComparisonAudit, TheIntervalHoldsTheTrueDifferenceWhereCheckpointsJump) {
  for (const double gap : {0.0, 0.05}) {
    const Coverage quiet = Measure(0, gap, 11);
    EXPECT_GE(quiet.held, 0.92);
    const Coverage noisy = Measure(0.03, gap, 12);
    EXPECT_GE(noisy.held, 0.91);
    EXPECT_LE(noisy.held, 0.985);
    // What a comparison of two single checkpoints by items alone would claim.
    EXPECT_LT(noisy.held_by_items_alone, 0.8);
  }
}

}  // namespace
}  // namespace couplingd
