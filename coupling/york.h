// A straight line through points that have errors in both coordinates.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"

namespace couplingd {

// A point and the error it is known with: variances of x and y (> 0 for at least one) and
// covariance.
struct ErrorPoint {
  double x = 0;
  double y = 0;
  double variance_x = 0;
  double variance_y = 0;
  double covariance = 0;
};

// Unit vector along a line; (0, 1) is vertical. Only the line matters, not the sense along it.
struct Direction {
  double cosine = 1;
  double sine = 0;
};

struct YorkFit {
  Direction direction;
  double slope = 0;         // ±infinity for a vertical line
  double intercept = 0;     // NaN for a vertical line
  double slope_stderr = 0;  // from the stated errors alone, not scaled by chi²
  double intercept_stderr = 0;
  double chi_squared = 0;  // of n − 2 degrees of freedom
  int dof = 0;
  std::vector<double> standardized;  // per point: distance from the line in units of its own error
};

// Least squares with errors in both coordinates and correlated errors: D. York, N. M. Evensen,
// M. López Martínez, J. De Basabe Delgado, "Unified equations for the slope, intercept, and
// standard errors of the best straight line", Am. J. Phys. 72, 367 (2004), eqs. 13a–13d; iterated
// over the line's direction instead of its slope, so that steep and vertical lines are no special
// case. Fails for fewer than 2 points, for a point without error, for coinciding points, and where
// the iteration does not settle.
Result<YorkFit> FitYork(std::span<const ErrorPoint> points);

// The same line by Deming's closed form with errors averaged over the points: where to start.
Direction DemingDirection(std::span<const ErrorPoint> points);

// The direction alone, from a start nearby; for replicates. Stops after `iterations` at the latest.
Direction YorkDirection(std::span<const ErrorPoint> points, Direction start, int iterations = 60,
                        double tolerance = 1e-9);

}  // namespace couplingd
