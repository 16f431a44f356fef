#include "coupling/line_fit.h"

#include <cmath>

#include "coupling/statistics.h"

namespace couplingd {

double LineFit::SlopeHalfWidth(double level) const {
  return StudentCritical(level, n - 2) * slope_stderr;
}

double LineFit::InterceptHalfWidth(double level) const {
  return StudentCritical(level, n - 2) * intercept_stderr;
}

double LineFit::PredictionHalfWidth(double x, double level) const {
  const double distance = x - mean_x;
  return StudentCritical(level, n - 2) * residual_sd *
         std::sqrt(1 + 1.0 / n + distance * distance / squares_x);
}

Result<LineFit> FitLine(const Eigen::VectorXd& x, const Eigen::VectorXd& y) {
  LineFit fit{.n = static_cast<int>(x.size())};
  if (fit.n < 3) return Fail(ErrorKind::kInvalidData, "a line with its error needs 3 points");
  fit.mean_x = x.mean();
  const Eigen::VectorXd from_mean = x.array() - fit.mean_x;
  fit.squares_x = from_mean.squaredNorm();
  if (!(fit.squares_x > 1e-24 * x.squaredNorm())) {
    return Fail(ErrorKind::kInvalidData, "a line needs places that differ");
  }
  fit.slope = from_mean.dot(y) / fit.squares_x;
  fit.intercept = y.mean() - fit.slope * fit.mean_x;
  const double squares = (y.array() - fit.intercept - fit.slope * x.array()).square().sum();
  fit.residual_sd = std::sqrt(squares / (fit.n - 2));
  fit.slope_stderr = fit.residual_sd / std::sqrt(fit.squares_x);
  fit.intercept_stderr =
      fit.residual_sd * std::sqrt(1.0 / fit.n + fit.mean_x * fit.mean_x / fit.squares_x);
  return fit;
}

}  // namespace couplingd
