#include "coupling/u_shape.h"

#include <algorithm>
#include <array>

#include "coupling/critical_scale.h"
#include "coupling/forecast_places.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

// Two of so many points at a time: 1,024 sums of 64 bytes stay near.
constexpr Index kMostPaired = 32;

std::optional<double> LeastPlace(const Result<UShape>& fit) {
  if (!fit || !fit->OpensUpwards()) return std::nullopt;
  return fit->Turn();
}

VectorXd Evaluate(const Polynomial& curve, const VectorXd& x) {
  return x.unaryExpr([&](double place) { return curve(place); });
}

}  // namespace

double UShape::Turn() const {
  return curve.centre - curve.coefficients[1] / (2 * curve.coefficients[2]);
}

Result<UShape> FitUShape(const VectorXd& x, const VectorXd& truthfulness) {
  return UShape{TRY(FitPolynomial(x, truthfulness, 2))};
}

UShapeDraws::UShapeDraws(const VectorXd& x, const VectorXd& truthfulness)
    : centre_(x.mean()),
      terms_(8, x.size()),
      pairs_(static_cast<std::uint32_t>(x.size() <= kMostPaired ? x.size() * x.size() : 1)) {
  const Eigen::ArrayXd u = x.array() - centre_;
  const Eigen::ArrayXd v = truthfulness.array() - truthfulness.mean();
  terms_.row(0) = u;
  terms_.row(1) = u.square();
  terms_.row(2) = u.cube();
  terms_.row(3) = u.square().square();
  terms_.row(4) = v;
  terms_.row(5) = u * v;
  terms_.row(6) = u.square() * v;
  terms_.row(7).setZero();
  if (x.size() > kMostPaired) return;
  pair_terms_.resize(8, x.size() * x.size());
  for (Index i = 0; i < x.size(); ++i) {
    for (Index j = 0; j < x.size(); ++j) {
      pair_terms_.col(i * x.size() + j) = terms_.col(i) + terms_.col(j);
    }
  }
}

std::optional<double> UShapeDraws::Turn(std::span<const std::uint32_t> rows) const {
  Sums sums = Sums::Zero();
  for (const std::uint32_t row : rows) sums += terms_.col(row);
  return TurnOf(sums, rows.size());
}

std::optional<double> UShapeDraws::Draw(Random& random) const {
  Sums sums = Sums::Zero();
  std::uint32_t left = Points();
  if (pair_terms_.cols() > 0) {
    std::array<std::uint32_t, kMostPaired / 2> drawn;
    const auto pairs = std::span(drawn).first(left / 2);
    random.Indices(pairs_, pairs);
    for (const std::uint32_t pair : pairs) sums += pair_terms_.col(pair);
    left %= 2;
  }
  for (; left > 0; --left) sums += terms_.col(static_cast<Index>(random.Index(Points())));
  return TurnOf(sums, Points());
}

std::optional<double> UShapeDraws::TurnOf(const Sums& sums, std::size_t points) const {
  // Moments about the means of u, u² and v over the drawn points, times their number.
  const double share = 1 / static_cast<double>(points);
  const double uu = sums[1] - sums[0] * sums[0] * share;
  const double uq = sums[2] - sums[0] * sums[1] * share;
  const double qq = sums[3] - sums[1] * sums[1] * share;
  const double uv = sums[5] - sums[0] * sums[4] * share;
  const double qv = sums[6] - sums[1] * sums[4] * share;
  // Two distinct places leave a determinant of nothing but rounding.
  constexpr double kSingular = 1e-12;
  if (!(uu * qq - uq * uq > kSingular * uu * qq)) return std::nullopt;
  const double slope = uv * qq - qv * uq, curvature = qv * uu - uv * uq;  // times the determinant
  if (!(curvature > 0)) return std::nullopt;
  return centre_ - slope / (2 * curvature);
}

CrossingSample ResampleUShape(const VectorXd& x, const VectorXd& truthfulness,
                              const Horizon& horizon, int replicates, std::uint64_t seed) {
  const UShapeDraws draws(x, truthfulness);
  Random random(seed);
  CrossingSample sample;
  sample.places.reserve(static_cast<std::size_t>(std::max(replicates, 0)));
  for (int b = 0; b < replicates; ++b) sample.Add(draws.Draw(random), horizon);
  return sample;
}

Result<Forecast> ForecastByUShape(const AxisSeries& series, CouplingOver over,
                                  const ForecastOptions& options) {
  ForecastPlaces places = TRY(MakePlaces(series, over, "u-shape", options));
  if (!places.forecast.reason.empty()) return places.forecast;
  const AxisSample& axis = places.sample.truthfulness;
  const UShape fit = TRY(FitUShape(places.positions, axis.scores));
  const VectorXd smooth = Evaluate(fit.curve, places.positions);
  const double known = axis.source == NoiseSource::kUnknown ? 0 : MovementVariance(axis).mean();
  const ResidualNoise noise(axis.scores - smooth, static_cast<int>(places.positions.size()) - 3,
                            known);
  Random random(options.seed);
  CrossingSample sample;
  for (Index b = 0; b < axis.draws.rows(); ++b) {
    const VectorXd drawn = smooth + axis.draws.row(b).transpose() + noise.Draw(random);
    sample.Add(LeastPlace(FitUShape(places.positions, drawn)), places.horizon);
  }
  FillForecast(sample, places.forecast);
  return places.forecast;
}

}  // namespace couplingd
