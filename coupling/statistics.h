// The few statistics that several estimators share.
#pragma once

#include <Eigen/Dense>
#include <vector>

#include "base/quantiles.h"
#include "base/result.h"

namespace couplingd {

// Of the estimates made with one observation left out at a time.
struct Jackknife {
  double mean = 0;
  double standard_error = 0;  // √((n − 1)/n · Σ(θ₍ᵢ₎ − mean)²), B. Efron 1982
};
// At least 2 estimates.
Jackknife JackknifeOf(const std::vector<double>& left_out_estimates);

// z with P(|Z| ≤ z) = level.
double NormalCritical(double level);
// t with P(|T| ≤ t) = level; dof > 0, very large dof give the normal value.
double StudentCritical(double level, double dof);

// The weights that turn scores at `positions` (at least two distinct ones) into their change along
// the least-squares line from the first position to the last. They sum to 0.
Eigen::VectorXd TrendContrast(const Eigen::VectorXd& positions);

// What is rough in a series: each inner value against the straight line between its neighbours,
// scaled to keep the variance of independent noise. Smooth trends drop out (T. Gasser, L. Sroka,
// C. Jennen-Steinmetz, "Residual variance and residual pattern in nonlinear regression", Biometrika
// 73, 625 (1986)). Positions rise; fewer than 3 give nothing.
std::vector<double> RoughPart(const Eigen::VectorXd& values, const Eigen::VectorXd& positions);
// The weights of the values k − 1, k and k + 1 in it; 0 < k < positions.size() − 1.
Eigen::Vector3d RoughWeights(const Eigen::VectorXd& positions, Eigen::Index k);
// Degrees of freedom of the mean square of `count` ≥ 1 such neighbours at even spacing, whose
// correlations are −2/3 and 1/6.
double RoughDof(double count);

// Least-squares polynomial in (x − centre), for conditioning.
struct Polynomial {
  double centre = 0;
  Eigen::VectorXd coefficients;  // ascending powers of (x − centre)
  double operator()(double x) const;
};

// Needs more than `degree` distinct x; fails otherwise.
Result<Polynomial> FitPolynomial(const Eigen::VectorXd& x, const Eigen::VectorXd& y, int degree);

}  // namespace couplingd
