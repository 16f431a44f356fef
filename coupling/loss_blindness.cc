#include "coupling/loss_blindness.h"

#include <cmath>

namespace couplingd {

double LossBlindness(const Eigen::VectorXd& parameters, const Eigen::VectorXd& losses,
                     double irreducible, double exponent) {
  const Eigen::ArrayXd scaled = parameters.array().pow(exponent) * (losses.array() - irreducible);
  const double mean = scaled.mean();
  return std::sqrt((scaled - mean).square().mean()) / mean;
}

}  // namespace couplingd
