// The running coupling: γ = A·log10 N + B.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "coupling/crossing.h"
#include "coupling/statistics.h"

namespace couplingd {

// γ between two consecutive places, at the mean of their log10 N.
struct PairCoupling {
  double position = 0;
  double gamma = 0;
};

// x in any order is sorted first (stably). Pairs with |Δreasoning| ≤ least_change are left out.
std::vector<PairCoupling> ConsecutiveCouplings(const Eigen::VectorXd& x,
                                               const Eigen::VectorXd& reasoning,
                                               const Eigen::VectorXd& truthfulness,
                                               double least_change);

struct RunningLine {
  double slope = 0;      // A
  double intercept = 0;  // B
  // log10 N_c = −B/A; absent for a level line.
  std::optional<double> Crossing() const;
};

// Ordinary least squares over the pairs, as published. Needs 2 distinct positions.
Result<RunningLine> FitRunningLine(const std::vector<PairCoupling>& pairs);

// N_c left out one pair at a time: mean and jackknife standard error, in parameters.
Result<Jackknife> JackknifeRunningLine(const std::vector<PairCoupling>& pairs);

// Pairs drawn with replacement: the published bootstrap. Either direction of crossing counts.
CrossingSample ResampleRunningLine(const std::vector<PairCoupling>& pairs, const Horizon& horizon,
                                   int replicates, std::uint64_t seed);

}  // namespace couplingd
