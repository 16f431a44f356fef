#include "coupling/loss_law.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/tools/minima.hpp>
#include <cmath>

#include "base/random.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

constexpr double kLeastExponent = 0.005, kMostExponent = 3;
constexpr Index kFewest = 5;

// Places relative to their geometric middle, so that the two columns stay well scaled.
struct Fitted {
  double floor = 0;
  double scale = 0;
  double squares = 0;
};

// Least squares in floor and scale for a given exponent, floor ≥ 0.
Fitted FitLinear(const VectorXd& relative, const VectorXd& losses, double exponent) {
  const VectorXd power = (-exponent * relative.array().log()).exp();
  const double mean_power = power.mean(), mean_loss = losses.mean();
  const VectorXd centred = power.array() - mean_power;
  Fitted fit;
  fit.scale = centred.dot(losses) / centred.squaredNorm();
  fit.floor = mean_loss - fit.scale * mean_power;
  if (fit.floor < 0) {
    fit.floor = 0;
    fit.scale = power.dot(losses) / power.squaredNorm();
  }
  fit.squares = (losses.array() - fit.floor - fit.scale * power.array()).square().sum();
  return fit;
}

PowerLaw FitPowerLaw(const VectorXd& relative, double middle, const VectorXd& losses) {
  const auto squares = [&](double log_exponent) {
    return FitLinear(relative, losses, std::exp(log_exponent)).squares;
  };
  constexpr int kGrid = 48;
  const double low = std::log(kLeastExponent), high = std::log(kMostExponent);
  const auto at = [&](int i) { return low + (high - low) * i / kGrid; };
  int best = 0;
  double least = squares(low);
  for (int i = 1; i <= kGrid; ++i) {
    const double value = squares(at(i));
    if (value < least) least = value, best = i;
  }
  const auto found = boost::math::tools::brent_find_minima(squares, at(std::max(best - 1, 0)),
                                                           at(std::min(best + 1, kGrid)), 40);
  const double exponent = std::exp(found.first);
  const Fitted fit = FitLinear(relative, losses, exponent);
  return {fit.floor, fit.scale * std::pow(middle, exponent), exponent};
}

VectorXd Predict(const PowerLaw& law, const VectorXd& x) {
  VectorXd losses(x.size());
  for (Index i = 0; i < x.size(); ++i) losses[i] = law(x[i]);
  return losses;
}

Status CheckLosses(const VectorXd& x, const VectorXd& losses) {
  if (x.size() < kFewest) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{} places; {} are needed for a power law", x.size(), kFewest));
  }
  for (Index i = 0; i < x.size(); ++i) {
    if (!(x[i] > 0) || (i > 0 && x[i] <= x[i - 1]) || !std::isfinite(losses[i])) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("loss {} at {}: places must rise above 0 and losses be finite",
                              losses[i], x[i]));
    }
  }
  return {};
}

// Mean residual of `width` places from `first` on, less that of as many before.
double StepBefore(const VectorXd& residuals, Index first, Index width) {
  return residuals.segment(first, width).mean() - residuals.segment(first - width, width).mean();
}

}  // namespace

double PowerLaw::operator()(double x) const { return floor + scale * std::pow(x, -exponent); }

Result<LossLaw> FitLossLaw(const VectorXd& x, const VectorXd& losses,
                           const LossLawOptions& options) {
  TRY(CheckLosses(x, losses));
  const double middle = std::exp(x.array().log().mean());
  const VectorXd relative = x / middle;
  LossLaw fit{.law = FitPowerLaw(relative, middle, losses)};
  if (!(fit.law.scale > 0)) {
    return Fail(ErrorKind::kInvalidData, "the loss does not fall: no power law describes it");
  }
  const VectorXd smooth = Predict(fit.law, x);
  fit.residuals = losses - smooth;
  const Index n = x.size();
  fit.deviation = std::sqrt(fit.residuals.squaredNorm() / static_cast<double>(n - 3));
  const double widened = std::sqrt(static_cast<double>(n) / static_cast<double>(n - 3));
  const auto block = static_cast<Index>(std::lround(std::cbrt(static_cast<double>(n))));
  Random random(options.seed);
  std::vector<double> floors, exponents;
  VectorXd drawn(n);
  for (int replicate = 0; replicate < options.replicates; ++replicate) {
    for (Index first = 0; first < n; first += block) {
      const auto start = static_cast<Index>(random.Index(static_cast<std::size_t>(n)));
      const double sign = random.Index(2) == 0 ? widened : -widened;
      for (Index k = first; k < std::min(first + block, n); ++k) {
        drawn[k] = smooth[k] + sign * fit.residuals[(start + k - first) % n];
      }
    }
    const PowerLaw again = FitPowerLaw(relative, middle, drawn);
    floors.push_back(again.floor);
    exponents.push_back(again.exponent);
  }
  fit.floor = CentralInterval(std::move(floors), options.level);
  fit.exponent = CentralInterval(std::move(exponents), options.level);
  return fit;
}

std::optional<StepTest> TestStepAt(const VectorXd& x, const VectorXd& residuals, double place,
                                   int width) {
  const auto after = std::ranges::upper_bound(x, place) - x.begin();
  const Index n = x.size(), w = width;
  if (w < 1 || after < w || after > n - w) return std::nullopt;
  StepTest test{.step = StepBefore(residuals, after, w)};
  std::vector<double> others;
  for (Index first = w; first <= n - w; ++first) {
    if (std::abs(first - after) >= w) others.push_back(std::abs(StepBefore(residuals, first, w)));
  }
  constexpr std::size_t kFewestOthers = 19;  // for a p of 0.05
  if (others.size() < kFewestOthers) return std::nullopt;
  test.places = static_cast<int>(others.size());
  const auto as_large =
      std::ranges::count_if(others, [&](double step) { return step >= std::abs(test.step); });
  test.p = static_cast<double>(as_large + 1) / static_cast<double>(others.size() + 1);
  test.detectable = Quantile(std::move(others), 0.95);
  return test;
}

}  // namespace couplingd
