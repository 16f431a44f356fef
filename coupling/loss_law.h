// The training loss beside the coupling: is the one smooth where the other turns?
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "coupling/statistics.h"

namespace couplingd {

// L(x) = floor + scale · x^(−exponent), x in tokens or parameters; floor ≥ 0, scale > 0 (J.
// Hoffmann et al., arXiv:2203.15556, one variable at a time).
struct PowerLaw {
  double floor = 0;
  double scale = 0;
  double exponent = 0;
  double operator()(double x) const;
};

struct LossLawOptions {
  double level = 0.95;
  int replicates = 400;
  std::uint64_t seed = 1;
};

struct LossLaw {
  PowerLaw law;
  Interval floor, exponent;   // residuals drawn in circular blocks of about n^(1/3) with a random
                              // sign, the law fitted again
  double deviation = 0;       // of the residuals, for n − 3 degrees of freedom
  Eigen::VectorXd residuals;  // at the places given
};

// Least squares; needs 5 rising places x > 0 and losses that are finite and fall on the whole.
// REQUIRES: equally long vectors.
Result<LossLaw> FitLossLaw(const Eigen::VectorXd& x, const Eigen::VectorXd& losses,
                           const LossLawOptions& options);

// Does the loss step at `place`? The mean residual of the `width` places after it less that of the
// `width` before, against the same at every other place: p is the share of places whose step is at
// least as large. Absent where too few other places exist (fewer than 19) or it lies too near an
// end.
struct StepTest {
  double step = 0;
  double p = 1;
  double detectable = 0;  // 95 % of the other places have a smaller step
  int places = 0;         // others that it was compared with
};
std::optional<StepTest> TestStepAt(const Eigen::VectorXd& x, const Eigen::VectorXd& residuals,
                                   double place, int width);

}  // namespace couplingd
