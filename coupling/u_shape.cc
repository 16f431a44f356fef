#include "coupling/u_shape.h"

#include "coupling/critical_scale.h"
#include "coupling/forecast_places.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

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

CrossingSample ResampleUShape(const VectorXd& x, const VectorXd& truthfulness,
                              const Horizon& horizon, int replicates, std::uint64_t seed) {
  Random random(seed);
  CrossingSample sample;
  VectorXd drawn_x(x.size()), drawn_y(x.size());
  for (int b = 0; b < replicates; ++b) {
    for (Index k = 0; k < x.size(); ++k) {
      const auto from = static_cast<Index>(random.Index(x.size()));
      drawn_x[k] = x[from];
      drawn_y[k] = truthfulness[from];
    }
    sample.Add(LeastPlace(FitUShape(drawn_x, drawn_y)), horizon);
  }
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
