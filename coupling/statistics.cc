#include "coupling/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace couplingd {

double Quantile(std::vector<double> values, double p) {
  const double place = p * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(place));
  std::nth_element(values.begin(), values.begin() + below, values.end());
  const double low = values[below];
  const double share = place - static_cast<double>(below);
  if (share == 0 || below + 1 == values.size()) return low;
  const double high = *std::min_element(values.begin() + below + 1, values.end());
  return low == high ? low : low + share * (high - low);
}

Interval CentralInterval(std::vector<double> values, double level) {
  const double tail = (1 - level) / 2;
  const double low = Quantile(values, tail);
  return {low, Quantile(std::move(values), 1 - tail)};
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
    const double after = (positions[k] - positions[k - 1]) / (positions[k + 1] - positions[k - 1]);
    const double before = 1 - after;
    rough.push_back((values[k] - before * values[k - 1] - after * values[k + 1]) /
                    std::sqrt(1 + before * before + after * after));
  }
  return rough;
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
