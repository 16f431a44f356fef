// How many directions the scores of a group of models vary in.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "coupling/statistics.h"

namespace couplingd {

enum class SpreadMatrix { kCovariance, kCorrelation };

// Of the sample covariance (n − 1) or the correlation; descending. Models × scores; needs 2 models,
// and for the correlation scores that vary (NaN otherwise).
Eigen::VectorXd SpreadEigenvalues(const Eigen::MatrixXd& scores, SpreadMatrix which);

// Participation ratio (Σλ)²/Σλ²: 1 where all lies along one direction, the number of scores where
// all directions are equal. NaN where nothing varies.
double ParticipationRatio(const Eigen::VectorXd& eigenvalues);

struct EffectiveDimension {
  double value = 0;
  Interval interval;  // families drawn with replacement; draws of one model or no spread left out
  int models = 0, families = 0;
};

// Refuses (kInvalidData) groups of at most twice as many models as scores, unless `even_if_few`: of
// so few models the ratio is mostly about their number. `families`: one name per model. Pure.
struct DimensionOptions {
  SpreadMatrix matrix = SpreadMatrix::kCovariance;
  bool even_if_few = false;
  double level = 0.95;
  int replicates = 2000;
  std::uint64_t seed = 1;
};
Result<EffectiveDimension> MeasureDimension(const Eigen::MatrixXd& scores,
                                            std::span<const std::string> families,
                                            const DimensionOptions& options);

// Share of relabellings of the models into two groups of these sizes whose ratios differ by at
// least as much, (k + 1)/(B + 1), two-sided. Pure.
double CompareDimensions(const Eigen::MatrixXd& first, const Eigen::MatrixXd& second,
                         const DimensionOptions& options);

}  // namespace couplingd
