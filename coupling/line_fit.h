// A straight line by ordinary least squares, and what its residuals say about it.
#pragma once

#include <Eigen/Dense>

#include "base/result.h"

namespace couplingd {

// Standard errors and intervals hold for independent normal residuals of equal variance.
struct LineFit {
  double slope = 0;
  double intercept = 0;
  double slope_stderr = 0;
  double intercept_stderr = 0;
  double residual_sd = 0;  // √(Σe²/(n − 2))
  double mean_x = 0;
  double squares_x = 0;  // Σ(x − x̄)²
  int n = 0;

  double operator()(double x) const { return intercept + slope * x; }
  // Half of the interval of the slope and of the intercept, t with n − 2 degrees.
  double SlopeHalfWidth(double level) const;
  double InterceptHalfWidth(double level) const;
  // Half of the interval for one further observation at x:
  // t·s·√(1 + 1/n + (x − x̄)²/Σ(x − x̄)²).
  double PredictionHalfWidth(double x, double level) const;
};

// Needs at least 3 points and x that varies; fails otherwise.
Result<LineFit> FitLine(const Eigen::VectorXd& x, const Eigen::VectorXd& y);

}  // namespace couplingd
