// Does the training loss see the coupling change sign?
#pragma once

#include <Eigen/Dense>

namespace couplingd {

// Coefficient of variation of N^α·(loss − E) over models, n in the denominator: near 0 the power
// law holds from the smallest model to the largest, so that nothing in the loss marks a change
// between them. It is no evidence that nothing changed: any smooth falling loss gives it
// (arXiv:2605.18838). Parameters > 0, at least one.
double LossBlindness(const Eigen::VectorXd& parameters, const Eigen::VectorXd& losses,
                     double irreducible, double exponent);

}  // namespace couplingd
