#include "coupling/partial_correlation.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace couplingd {

Result<Correlation> PartialCorrelation(const Eigen::VectorXd& x, const Eigen::VectorXd& y,
                                       const Eigen::VectorXd& z, double level) {
  const int n = static_cast<int>(x.size());
  const double xy = n < 4 ? std::nan("") : PearsonR(x, y);
  const double xz = n < 4 ? std::nan("") : PearsonR(x, z);
  const double yz = n < 4 ? std::nan("") : PearsonR(y, z);
  const double rest = (1 - xz * xz) * (1 - yz * yz);
  if (!(rest > 1e-12) || std::isnan(xy)) {
    return Fail(
        ErrorKind::kInvalidData,
        "a partial correlation needs 4 points, and three quantities that vary on their own");
  }
  Correlation found{.r = std::clamp((xy - xz * yz) / std::sqrt(rest), -1.0, 1.0), .n = n};
  const double left = 1 - found.r * found.r;
  const double t = left > 0 ? std::abs(found.r) * std::sqrt((n - 3) / left) : 0;
  found.p = left > 0
                ? 2 * boost::math::cdf(boost::math::complement(boost::math::students_t(n - 3), t))
                : 0;
  found.interval = {-1, 1};
  if (n > 4 && left > 0) {
    const double half = NormalCritical(level) / std::sqrt(n - 4);
    found.interval = {std::tanh(std::atanh(found.r) - half), std::tanh(std::atanh(found.r) + half)};
  }
  return found;
}

}  // namespace couplingd
