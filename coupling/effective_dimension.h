// Whether the effective dimensions of groups of models differ, and from how many models they come.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "coupling/eigenstructure.h"
#include "coupling/statistics.h"

namespace couplingd {

struct EffectiveDimension {
  double value = 0;   // participation ratio, DecomposeScores
  Interval interval;  // families drawn with replacement; draws without any spread left out
  int models = 0, families = 0;
};

struct DimensionOptions {
  ScoreMatrixKind kind = ScoreMatrixKind::kCovariance;
  bool even_if_few = false;
  double level = 0.95;
  int replicates = 2000;
  std::uint64_t seed = 1;
};

// Refuses (kInvalidData) groups of at most twice as many models as scores, unless `even_if_few`: of
// so few models the ratio is mostly about their number. `families`: one name per model. Pure.
Result<EffectiveDimension> MeasureDimension(const Eigen::MatrixXd& scores,
                                            std::span<const std::string> families,
                                            const DimensionOptions& options);

// Share of relabellings of the models into two groups of these sizes whose ratios differ by at
// least as much, (k + 1)/(B + 1), two-sided. Fails where a group has no spread. Pure.
Result<double> CompareDimensions(const Eigen::MatrixXd& first, const Eigen::MatrixXd& second,
                                 const DimensionOptions& options);

}  // namespace couplingd
