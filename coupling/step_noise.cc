#include "coupling/step_noise.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <cmath>

#include "coupling/statistics.h"

namespace couplingd {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

namespace {

// K − 2 rows of K weights.
MatrixXd RoughPartWeights(const VectorXd& positions) {
  const Index places = positions.size();
  MatrixXd weights = MatrixXd::Zero(std::max<Index>(places - 2, 0), places);
  for (Index row = 0; row < weights.rows(); ++row) {
    weights.row(row).segment<3>(row) = RoughWeights(positions, row + 1).transpose();
  }
  return weights;
}

}  // namespace

double StepNoise::Deviation() const { return std::sqrt(std::max(total_variance, item_variance)); }

Result<StepNoise> MeasureStepNoise(const NoisyTrajectory& trajectory, double level) {
  if (trajectory.scores.size() < kFewestForStepNoise) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} checkpoints; {} are needed to tell noise from movement",
                            trajectory.scores.size(), kFewestForStepNoise));
  }
  const MatrixXd weights = RoughPartWeights(trajectory.positions);
  const auto rows = static_cast<double>(weights.rows());
  const MatrixXd correlation = weights * weights.transpose();
  StepNoise noise{.dof = rows * rows / correlation.squaredNorm()};
  noise.residuals = weights * trajectory.scores;
  noise.total_variance = noise.residuals.squaredNorm() / rows;
  noise.item_variance = (weights * trajectory.covariance * weights.transpose()).trace() / rows;
  const auto beyond = [&](double total) {
    return std::sqrt(std::max(0.0, total - noise.item_variance));
  };
  const boost::math::chi_squared distribution(noise.dof);
  const double sum = noise.dof * noise.total_variance, tail = (1 - level) / 2;
  noise.deviation = beyond(noise.total_variance);
  noise.low = beyond(sum / boost::math::quantile(boost::math::complement(distribution, tail)));
  noise.high = beyond(sum / boost::math::quantile(distribution, tail));
  return noise;
}

TrendChange MeasureTrendChange(const NoisyTrajectory& trajectory, double step_deviation) {
  const VectorXd& positions = trajectory.positions;
  if (positions.size() < 2) return {};
  const VectorXd contrast = TrendContrast(positions);
  const double variance = contrast.dot(trajectory.covariance * contrast) +
                          step_deviation * step_deviation * contrast.squaredNorm();
  return {contrast.dot(trajectory.scores), std::sqrt(std::max(variance, 0.0))};
}

}  // namespace couplingd
