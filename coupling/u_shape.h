// A U-shaped truthfulness: quadratic in log10 N.
#pragma once

#include <Eigen/Dense>
#include <cstdint>

#include "coupling/crossing.h"
#include "coupling/statistics.h"

namespace couplingd {

struct UShape {
  Polynomial curve;
  bool OpensUpwards() const { return curve.coefficients[2] > 0; }
  double Turn() const;  // log10 N of the vertex
};

// x = log10 N, at least 3 distinct.
Result<UShape> FitUShape(const Eigen::VectorXd& x, const Eigen::VectorXd& truthfulness);

// The least of each of `replicates` quadratics through points drawn with replacement: the published
// bootstrap. It treats the points as a random sample of models; for the sizes of one family use
// ForecastByUShape. A draw with fewer than 3 distinct x, or a parabola that opens downwards, does
// not cross. Needs at least 3 points.
CrossingSample ResampleUShape(const Eigen::VectorXd& x, const Eigen::VectorXd& truthfulness,
                              const Horizon& horizon, int replicates, std::uint64_t seed);

}  // namespace couplingd
