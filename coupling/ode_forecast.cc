#include <fmt/format.h>

#include <algorithm>

#include "coupling/critical_scale.h"
#include "coupling/forecast_places.h"
#include "coupling/ode.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

MatrixXd BothAxes(const VectorXd& reasoning, const VectorXd& truthfulness) {
  MatrixXd scores(reasoning.size(), 2);
  scores << reasoning, truthfulness;
  return scores;
}

// Mean sampling variance of an axis's difference quotients.
double KnownVariance(const AxisSample& axis, const VectorXd& x) {
  if (axis.source == NoiseSource::kUnknown) return 0;
  const MatrixXd& c = axis.covariance;
  double sum = 0;
  for (Index j = 0; j + 1 < x.size(); ++j) {
    const double step = x[j + 1] - x[j];
    sum += (c(j, j) + c(j + 1, j + 1) - c(j, j + 1) - c(j + 1, j)) / (step * step);
  }
  return sum / static_cast<double>(x.size() - 1);
}

}  // namespace

Result<Forecast> ForecastByOde(const AxisSeries& series, CouplingOver over,
                               const ForecastOptions& options) {
  ForecastPlaces places = TRY(MakePlaces(series, over, "ode", options));
  Forecast& forecast = places.forecast;
  if (!forecast.reason.empty()) return forecast;
  const ScoreSample& scores = places.sample;
  const VectorXd& x = places.positions;
  const auto fit = FitOde(x, BothAxes(scores.reasoning.scores, scores.truthfulness.scores), 1);
  if (!fit) {
    forecast.reason = fit.error().Text();
    return forecast;
  }
  const int dof = static_cast<int>(x.size() - 1 - OdeTerms(2, 1));
  const ResidualNoise reasoning_noise(fit->residuals.col(0), dof,
                                      KnownVariance(scores.reasoning, x));
  const ResidualNoise truthfulness_noise(fit->residuals.col(1), dof,
                                         KnownVariance(scores.truthfulness, x));
  // Over steps the future alone is asked for: what a run has passed stands in its history. Over
  // scale N_c may lie between the sizes seen, and the trajectory starts at the smallest.
  const Index from = over == CouplingOver::kSteps ? x.size() - 1 : 0;
  if (over == CouplingOver::kSteps) {
    places.horizon.low = std::max(places.horizon.low, places.last);
    forecast.horizon_low = std::max(forecast.horizon_low, *forecast.observed);
  }
  Random random(options.seed);
  CrossingSample sample;
  for (Index b = 0; b < scores.Replicates(); ++b) {
    const MatrixXd drawn =
        BothAxes(scores.reasoning.scores + scores.reasoning.draws.row(b).transpose(),
                 scores.truthfulness.scores + scores.truthfulness.draws.row(b).transpose());
    OdeRows rows = MakeOdeRows(x, drawn);
    rows.derivatives.col(0) += reasoning_noise.Draw(random);
    rows.derivatives.col(1) += truthfulness_noise.Draw(random);
    const auto refit = FitOdeAtThreshold(rows, 1, fit->threshold);
    sample.Add(refit ? FirstSignChange(refit->model, x[from], drawn.row(from).transpose(),
                                       places.horizon.high, 0, 1)
                     : std::nullopt,
               places.horizon);
  }
  FillForecast(sample, forecast);
  return forecast;
}

}  // namespace couplingd
