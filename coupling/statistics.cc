#include "coupling/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace couplingd {

Jackknife JackknifeOf(const std::vector<double>& left_out_estimates) {
  const auto n = static_cast<double>(left_out_estimates.size());
  const Eigen::Map<const Eigen::ArrayXd> values(left_out_estimates.data(),
                                                static_cast<Eigen::Index>(n));
  const double mean = values.mean();
  return {mean, std::sqrt((n - 1) / n * (values - mean).square().sum())};
}

double NormalCritical(double level) {
  return boost::math::quantile(boost::math::normal(), 0.5 + level / 2);
}

double StudentCritical(double level, double dof) {
  if (!(dof < 1e7)) return NormalCritical(level);
  return boost::math::quantile(boost::math::students_t(dof), 0.5 + level / 2);
}

Eigen::VectorXd TrendContrast(const Eigen::VectorXd& positions) {
  const Eigen::VectorXd centred = positions.array() - positions.mean();
  const double span = positions[positions.size() - 1] - positions[0];
  return centred * (span / centred.squaredNorm());
}

std::vector<double> RoughPart(const Eigen::VectorXd& values, const Eigen::VectorXd& positions) {
  std::vector<double> rough;
  for (Eigen::Index k = 1; k + 1 < values.size(); ++k) {
    rough.push_back(RoughWeights(positions, k).dot(values.segment<3>(k - 1)));
  }
  return rough;
}

Eigen::Vector3d RoughWeights(const Eigen::VectorXd& positions, Eigen::Index k) {
  const double after = (positions[k] - positions[k - 1]) / (positions[k + 1] - positions[k - 1]);
  return Eigen::Vector3d(after - 1, 1, -after).normalized();
}

double RoughDof(double count) {
  return count * count / (count + 8.0 / 9 * (count - 1) + std::max(count - 2, 0.0) / 18);
}

double Polynomial::operator()(double x) const {
  double value = 0;
  for (Eigen::Index power = coefficients.size() - 1; power >= 0; --power) {
    value = value * (x - centre) + coefficients[power];
  }
  return value;
}

Result<Polynomial> FitPolynomial(const Eigen::VectorXd& x, const Eigen::VectorXd& y, int degree) {
  Polynomial fit{.centre = x.size() > 0 ? x.mean() : 0};
  Eigen::MatrixXd powers(x.size(), degree + 1);
  powers.col(0).setOnes();
  for (int power = 1; power <= degree; ++power) {
    powers.col(power) = powers.col(power - 1).cwiseProduct((x.array() - fit.centre).matrix());
  }
  const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(powers);
  if (x.size() <= degree || qr.rank() <= degree) {
    return Fail(
        ErrorKind::kInvalidData,
        fmt::format("a polynomial of degree {} needs {} distinct places", degree, degree + 1));
  }
  fit.coefficients = qr.solve(y);
  return fit;
}

}  // namespace couplingd
