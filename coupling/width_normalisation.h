// Scores divided by model width, and why their correlation proves nothing.
#pragma once

#include <Eigen/Dense>
#include <cstdint>

#include "base/result.h"

namespace couplingd {

// Dividing both scores by the same width makes them rise and fall together whatever they are: the
// correlation is only to be read beside its null, in which truthfulness is shuffled over the models
// before both are divided. (K. Pearson, "On a form of spurious correlation which may arise when
// indices are used in the measurement of organs", Proc. R. Soc. Lond. 60, 489, 1897.)
struct WidthNormalisedCoupling {
  double r_raw = 0;         // r(B1, B2)
  double r_normalised = 0;  // r(B1/w, B2/w) with w = d_model/512
  double null_mean = 0;     // mean of r_normalised over the permutations of B2
  double p = 1;             // share of the permutations with r_normalised at least as large
  int permutations = 0;
  bool exact = false;  // all permutations were gone through
};

// Scores in any one unit, `widths` > 0; at least 3 models. All permutations where there are no more
// than `permutations` of them, else that many at random, with p = (1 + hits)/(1 + permutations).
Result<WidthNormalisedCoupling> NormaliseByWidth(const Eigen::VectorXd& reasoning,
                                                 const Eigen::VectorXd& truthfulness,
                                                 const Eigen::VectorXd& widths, int permutations,
                                                 std::uint64_t seed);

}  // namespace couplingd
