// How many directions the scores of a group of models really vary in, and along which.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "coupling/correlation.h"
#include "coupling/statistics.h"

namespace couplingd {

enum class ScoreMatrixKind {
  kCovariance,   // of the scores as they are: benchmarks that vary more count for more
  kCorrelation,  // of standardised scores
};

struct EigenStructure {
  Eigen::VectorXd values;   // falling; ≥ 0
  Eigen::MatrixXd vectors;  // unit columns in the same order; the largest component is positive
  double effective_dimension = 0;  // participation ratio (Σλ)²/Σλ², 1 to axes
};

// Of models × axes; at least 2 of each. Fails where a score does not vary (correlation) or nothing
// does. Covariance with n − 1.
Result<EigenStructure> DecomposeScores(const Eigen::MatrixXd& scores, ScoreMatrixKind kind);

// Effective dimension of `replicates` draws of the models (or clusters of them); draws that cannot
// be decomposed are left out.
std::vector<double> ResampleEffectiveDimension(const Eigen::MatrixXd& scores, ScoreMatrixKind kind,
                                               ClusterDraw draw, int replicates,
                                               std::uint64_t seed);

// The angle between the leading eigenvectors of two groups (sign does not matter).
struct EigenRotation {
  double degrees = 0;  // 0 to 90
  // Bootstrap over the models of both groups. An angle cannot be below 0, so that its interval
  // never holds it: judge by p.
  Interval interval;
  // Share of relabellings, models dealt at random to two groups of these sizes, that turn the
  // leading eigenvector at least as far.
  double p = 1;
};

// Both groups models × the same axes, `which` counts eigenvectors from 0.
Result<EigenRotation> CompareEigenvectors(const Eigen::MatrixXd& first,
                                          const Eigen::MatrixXd& second, Eigen::Index which,
                                          ScoreMatrixKind kind, double level, int replicates,
                                          std::uint64_t seed);

}  // namespace couplingd
