// Scores at K places with their sampling error: its covariance over the places, and replicates
// drawn from it. Everything that estimates from scores starts here.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <span>
#include <string>

#include "coupling/observation.h"

namespace couplingd {

// Where the sampling error of an axis comes from.
enum class NoiseSource {
  kItems,    // items (or their clusters) drawn with replacement, one draw for all places
  kStderr,   // normal errors from the standard errors, independent between places: the correlation
             // that shared items cause is unknown, so that differences look noisier than they are
  kUnknown,  // neither is known: no sampling error, only what the residuals show
};

struct AxisSample {
  NoiseSource source = NoiseSource::kUnknown;
  int items = 0;               // per place; 0 unless source is kItems
  int units = 0;               // that are drawn: clusters, or items where there are none
  Eigen::VectorXd scores;      // K
  Eigen::MatrixXd covariance;  // K × K
  Eigen::MatrixXd draws;       // B × K deviations from `scores`
};

struct ScoreSample {
  AxisSample reasoning;
  AxisSample truthfulness;
  Eigen::MatrixXd
      cross;  // K × K, cov(reasoning at j, truthfulness at k); zero unless items are shared

  Eigen::Index Places() const { return reasoning.scores.size(); }
  Eigen::Index Replicates() const { return reasoning.draws.rows(); }
};

// `chosen` holds checked observations of `series` in the order wanted. An axis uses items if every
// chosen observation has them, else standard errors if every one has them, else nothing.
ScoreSample DrawScores(const AxisSeries& series, std::span<const AxisObservation> chosen,
                       int replicates, std::uint64_t seed);

// Places [first, first + count).
ScoreSample SelectPlaces(const ScoreSample& sample, Eigen::Index first, Eigen::Index count);

// The sample of the linear combinations combine · scores; combine is M × K.
ScoreSample CombinePlaces(const ScoreSample& sample, const Eigen::MatrixXd& combine);

// Part of the error variance of each place that is not common to all places: what the scores move
// by relative to one another. Floored above zero, so that it can be a weight.
Eigen::VectorXd MovementVariance(const AxisSample& sample);
// The same for the covariance of both axes at a place.
Eigen::VectorXd MovementCovariance(const ScoreSample& sample);

// "item-bootstrap", "stderr", "item-bootstrap+stderr" or "residuals", for CouplingEstimate::method.
std::string NoiseText(const ScoreSample& sample);

}  // namespace couplingd
