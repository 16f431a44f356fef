// Percentiles of what was drawn or measured.
#pragma once

#include <vector>

namespace couplingd {

// Linear interpolation between order statistics, as numpy.quantile. `values` is not empty and holds
// no NaN (infinities are ordered); 0 ≤ p ≤ 1.
double Quantile(std::vector<double> values, double p);
// Several quantiles in one go, in the order of `p`.
std::vector<double> Quantiles(std::vector<double> values, const std::vector<double>& p);

// The equal-tailed interval that holds `level` of the values.
struct Interval {
  double low = 0;
  double high = 0;
};
Interval CentralInterval(std::vector<double> values, double level);

}  // namespace couplingd
