// A U-shaped truthfulness: quadratic in log10 N.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <optional>
#include <span>

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

// The turns of quadratics through draws of the same points, by the normal equations of their power
// sums: tens of nanoseconds for a dozen points. Thread-safe.
class UShapeDraws {
 public:
  // At least 3 points, at most 2^28.
  UShapeDraws(const Eigen::VectorXd& x, const Eigen::VectorXd& truthfulness);

  std::uint32_t Points() const { return static_cast<std::uint32_t>(terms_.cols()); }
  // log10 N of the least of the quadratic through `rows` (each below Points(), repeated ones count
  // again); absent with fewer than 3 distinct x, and where the parabola opens downwards.
  std::optional<double> Turn(std::span<const std::uint32_t> rows) const;
  // The same through as many points as there are, drawn with replacement.
  std::optional<double> Draw(Random& random) const;

 private:
  using Sums = Eigen::Array<double, 8, 1>;
  using Terms = Eigen::Array<double, 8, Eigen::Dynamic>;
  std::optional<double> TurnOf(const Sums& sums, std::size_t points) const;

  double centre_;
  // Per point u, u², u³, u⁴, v, uv, u²v and 0, where u and v are x and truthfulness less their
  // means; and of every two points together, where they are few: half the draws, half the sums.
  Terms terms_, pair_terms_;
  IndexRange pairs_;
};

// The least of each of `replicates` quadratics through points drawn with replacement: the published
// bootstrap. It treats the points as a random sample of models; for the sizes of one family use
// ForecastByUShape. A draw with fewer than 3 distinct x, or a parabola that opens downwards, does
// not cross. Needs at least 3 points.
CrossingSample ResampleUShape(const Eigen::VectorXd& x, const Eigen::VectorXd& truthfulness,
                              const Horizon& horizon, int replicates, std::uint64_t seed);

}  // namespace couplingd
