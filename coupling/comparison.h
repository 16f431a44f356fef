// Is a difference between two runs more than noise, and what would settle it where it is not?
#pragma once

#include <limits>
#include <optional>
#include <string>

#include "coupling/statistics.h"

namespace couplingd {

// b − a with the two parts of its variance: sampling error, which more items lessen, and checkpoint
// noise, which more checkpoints lessen.
struct NoisyDifference {
  double value = 0;
  double item_variance = 0;
  double item_dof = std::numeric_limits<double>::infinity();  // clusters − 1
  int items = 0;                                              // 0: unknown
  double step_variance = 0;
  double step_dof = std::numeric_limits<double>::infinity();
};

struct DifferenceTest {
  Interval interval;
  double p = 1;  // two-sided
};

// Student's t with the degrees of freedom of B. L. Welch, Biometrika 34, 28 (1947), and
// F. E. Satterthwaite. A variance of 0 leaves the value itself.
DifferenceTest TestDifference(const NoisyDifference& difference, double level);

// What would find a difference of this size, were it the true one, at `level` with the power given.
// More items where those alone can do it, else checkpoints to average, else both.
std::string WhatSettlesDifference(const NoisyDifference& difference, double level, double power);

// A value with an interval of its own; either end may be infinite.
struct Estimated {
  double value = 0;
  double low = 0, high = 0;
};

// Interval of b − a from those of independent a and b, which need not be symmetric: the method of
// variance estimates recovery (G. Y. Zou, A. Donner, "Construction of confidence limits about
// effect measures: a general approach", Statist. Med. 27, 1693 (2008)). p is that of a normal whose
// interval reaches as far towards zero.
DifferenceTest CompareEstimates(const Estimated& a, const Estimated& b, double level);

}  // namespace couplingd
