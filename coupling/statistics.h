// The few statistics that several estimators share.
#pragma once

#include <Eigen/Dense>
#include <vector>

#include "base/result.h"

namespace couplingd {

// Linear interpolation between order statistics, as numpy.quantile. `values` is not empty and holds
// no NaN (infinities are ordered); 0 ≤ p ≤ 1.
double Quantile(std::vector<double> values, double p);

// The equal-tailed interval that holds `level` of the values.
struct Interval {
  double low = 0;
  double high = 0;
};
Interval CentralInterval(std::vector<double> values, double level);

// z with P(|Z| ≤ z) = level.
double NormalCritical(double level);
// t with P(|T| ≤ t) = level; dof > 0, very large dof give the normal value.
double StudentCritical(double level, double dof);

// Least-squares polynomial in (x − centre), for conditioning.
struct Polynomial {
  double centre = 0;
  Eigen::VectorXd coefficients;  // ascending powers of (x − centre)
  double operator()(double x) const;
};

// Needs more than `degree` distinct x; fails otherwise.
Result<Polynomial> FitPolynomial(const Eigen::VectorXd& x, const Eigen::VectorXd& y, int degree);

}  // namespace couplingd
