// Replicates of the place where a coupling changes sign, and the forecast they make.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "coupling/observation.h"
#include "coupling/score_sample.h"
#include "records/coupling.h"

namespace couplingd {

// Where a crossing is looked for, in log10.
struct Horizon {
  double low = 0;
  double high = 0;
  bool Holds(double place) const { return low < place && place < high; }
};

struct CrossingSample {
  std::vector<double> places;  // log10, of the replicates that cross within the horizon
  int drawn = 0;               // replicates altogether

  // Counts one replicate; without a place, or with one outside the horizon, it does not cross.
  void Add(std::optional<double> place, const Horizon& horizon);
  double ShareCrossing() const;
};

// Median and intervals of the replicates that cross, their share, and the share that crosses at or
// before `forecast.observed`. Fewer than 5 % of them, or fewer than 20, give no value, and the
// reason says so.
void FillForecast(const CrossingSample& sample, Forecast& forecast);

// The residuals of a fit, so far as sampling error does not explain them, drawn with replacement
// and widened for the degrees of freedom they rest on.
class ResidualNoise {
 public:
  // `known_variance`: mean sampling variance of one residual, 0 if unknown.
  ResidualNoise(const Eigen::VectorXd& residuals, int dof, double known_variance);
  // One replicate of all residuals.
  Eigen::VectorXd Draw(Random& random) const;

 private:
  Eigen::VectorXd residuals_;
  int dof_;
  double scale_;
};

}  // namespace couplingd
