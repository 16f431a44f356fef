// The correlation of two scores with a third quantity held.
#pragma once

#include <Eigen/Dense>

#include "coupling/correlation.h"

namespace couplingd {

// (r_xy − r_xz·r_yz)/√((1 − r_xz²)(1 − r_yz²)), p by t with n − 3 degrees, interval by Fisher's z
// with n − 4 (R. A. Fisher 1924). Needs at least 4 points and x, y, z that vary and are not
// functions of one another; fails otherwise. With 4 points the interval is [−1, 1].
Result<Correlation> PartialCorrelation(const Eigen::VectorXd& x, const Eigen::VectorXd& y,
                                       const Eigen::VectorXd& z, double level = 0.95);

}  // namespace couplingd
