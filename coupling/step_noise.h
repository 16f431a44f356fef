// How much a score jumps from checkpoint to checkpoint beyond what the sampling of items explains.
#pragma once

#include <Eigen/Dense>

#include "base/result.h"

namespace couplingd {

// A trajectory with the part of its noise that its items explain.
struct NoisyTrajectory {
  Eigen::VectorXd positions;   // log10 tokens or steps, rising
  Eigen::VectorXd scores;      // K
  Eigen::MatrixXd covariance;  // K × K, sampling error over items; zero where unknown
};

inline constexpr int kFewestForStepNoise = 5;  // checkpoints

struct StepNoise {
  double deviation = 0;       // of one checkpoint, beyond item noise: sqrt(max(0, total − items))
  double low = 0, high = 0;   // its interval at the level asked for, χ² of `dof`
  double dof = 0;             // of neighbouring residuals, which are correlated
  double total_variance = 0;  // of one checkpoint against its neighbours
  double item_variance = 0;   // the part of it that the items explain
  Eigen::VectorXd residuals;  // the RoughPart (statistics.h), K − 2
  // Standard deviation of one checkpoint against its neighbours, whatever it comes from.
  double Deviation() const;
};

// Needs kFewestForStepNoise checkpoints.
Result<StepNoise> MeasureStepNoise(const NoisyTrajectory& trajectory, double level);

// Change along the linear trend over the positions, and its standard error from item noise and a
// checkpoint noise of the deviation given.
struct TrendChange {
  double change = 0;
  double standard_error = 0;
};
TrendChange MeasureTrendChange(const NoisyTrajectory& trajectory, double step_deviation);

}  // namespace couplingd
