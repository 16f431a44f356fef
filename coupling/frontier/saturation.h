// Does a benchmark still separate the best models, or should the pair be rotated?
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "coupling/statistics.h"

namespace couplingd {

// Below it the published rule calls a benchmark exhausted (arXiv:2605.18838's companion).
inline constexpr double kRotationTrigger = 0.2;

// σ = range of the chosen axis over range of the other, among the top models by the chosen axis. To
// choose the top by an axis makes its range small whatever the models do, so that σ is shown beside
// what normal scores of equal n, r and standard deviations give.
struct Saturation {
  std::vector<Eigen::Index> top;  // best first; ties in the order given
  double spread = 0;              // max − min of the chosen axis
  double other_spread = 0;
  double ratio = 0;         // +infinity where the other axis has no range
  double null_median = 0;   // of σ for normal scores
  Interval null;            // its central interval at `level`
  double null_p = 1;        // P(σ ≤ ratio) for normal scores
  double null_trigger = 0;  // P(σ < kRotationTrigger) for normal scores
  bool Triggers() const { return ratio < kRotationTrigger; }
};

// REQUIRES: both of one length. Needs more models than `count` ≥ 2, and both axes to vary; fails
// otherwise. Pure: the same seed gives the same bits.
Result<Saturation> MeasureSaturation(const Eigen::VectorXd& chosen, const Eigen::VectorXd& other,
                                     int count, double level, int replicates, std::uint64_t seed);

}  // namespace couplingd
