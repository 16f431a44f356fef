#include "coupling/critical_scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "coupling/forecast_places.h"
#include "coupling/statistics.h"

namespace couplingd {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

const char* Noun(CouplingOver over) { return over == CouplingOver::kScale ? "size" : "checkpoint"; }

Status CheckOptions(const AxisSeries& series, const ForecastOptions& options) {
  if (!(series.axes.level > 0 && series.axes.level < 1)) {
    return Fail(ErrorKind::kUsage,
                fmt::format("the level {} of axis pair {} is not between 0 and 1",
                            series.axes.level, series.axes.name));
  }
  if (options.replicates < 100 || options.least_places < 4 ||
      options.most_places < options.least_places) {
    return Fail(ErrorKind::kUsage, "a forecast needs at least 100 replicates and 4 places");
  }
  for (const auto& end : {options.horizon_low, options.horizon_high}) {
    if (end && !(*end > 0 && std::isfinite(*end))) {
      return Fail(ErrorKind::kUsage, "the horizon of a forecast must be finite and above 0");
    }
  }
  return {};
}

double Place(const AxisObservation& at, CouplingOver over) {
  return over == CouplingOver::kScale ? *at.parameters : *at.tokens;
}

// Averages neighbours into at most `most` groups of equal width in log10; rows of the result sum
// to 1.
MatrixXd Grouping(const VectorXd& positions, int most) {
  const Index places = positions.size();
  if (places <= most) return MatrixXd::Identity(places, places);
  const double first = positions[0], span = positions[places - 1] - first;
  std::vector<std::vector<Index>> groups(most);
  for (Index k = 0; k < places; ++k) {
    const auto group = static_cast<int>(most * (positions[k] - first) / span);
    groups[std::min(group, most - 1)].push_back(k);
  }
  std::erase_if(groups, [](const auto& group) { return group.empty(); });
  MatrixXd combine = MatrixXd::Zero(static_cast<Index>(groups.size()), places);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (const Index k : groups[g]) combine(static_cast<Index>(g), k) = 1.0 / groups[g].size();
  }
  return combine;
}

Forecast Labels(const AxisSeries& series, CouplingOver over, const char* method) {
  return {.family = series.family,
          .run = over == CouplingOver::kScale ? "" : series.run,
          .axes = series.AxesText(),
          .quantity = over == CouplingOver::kScale ? "N_c" : "D_c",
          .method = method,
          .level = series.axes.level};
}

// Places at the start of a run whose reasoning is not yet told from that of the first: the
// untrained model's score, where γ is noise over noise. All of them but the last are no part of the
// trajectory. Without sampling errors nothing can be said, and nothing is left out.
Index FlatStart(const AxisSample& reasoning) {
  constexpr double kStandardErrors = 3;
  if (reasoning.source == NoiseSource::kUnknown) return 0;
  const MatrixXd& c = reasoning.covariance;
  Index k = 1;
  for (; k < reasoning.scores.size(); ++k) {
    const double variance = c(0, 0) + c(k, k) - c(0, k) - c(k, 0);
    const double moved = std::abs(reasoning.scores[k] - reasoning.scores[0]);
    if (moved > kStandardErrors * std::sqrt(std::max(variance, 0.0))) break;
  }
  return k - 1;
}

std::string TooFew(int have, int need, CouplingOver over) {
  return fmt::format("{} {}{}; at least {} are needed ({} more)", have, Noun(over),
                     have == 1 ? "" : "s", need, need - have);
}

}  // namespace

void CrossingSample::Add(std::optional<double> place, const Horizon& horizon) {
  ++drawn;
  if (place && horizon.Holds(*place)) places.push_back(*place);
}

double CrossingSample::ShareCrossing() const {
  return drawn == 0 ? 0 : static_cast<double>(places.size()) / drawn;
}

void FillForecast(const CrossingSample& sample, Forecast& forecast) {
  forecast.p_crossing = sample.ShareCrossing();
  if (forecast.observed && sample.drawn > 0) {
    const double last = std::log10(*forecast.observed);
    const auto passed =
        std::ranges::count_if(sample.places, [&](double place) { return place <= last; });
    forecast.p_passed = static_cast<double>(passed) / sample.drawn;
  }
  if (sample.places.size() < 20 || *forecast.p_crossing < 0.05) {
    forecast.reason =
        fmt::format("{:.1f} % of the replicates cross between {:.3g} and {:.3g}",
                    100 * *forecast.p_crossing, forecast.horizon_low, forecast.horizon_high);
    return;
  }
  const Interval interval = CentralInterval(sample.places, forecast.level);
  const Interval inner = CentralInterval(sample.places, 0.8);
  forecast.value = std::pow(10, Quantile(sample.places, 0.5));
  forecast.low = std::pow(10, interval.low);
  forecast.high = std::pow(10, interval.high);
  forecast.low80 = std::pow(10, inner.low);
  forecast.high80 = std::pow(10, inner.high);
}

ResidualNoise::ResidualNoise(const VectorXd& residuals, int dof, double known_variance)
    : residuals_(residuals), dof_(dof), scale_(0) {
  const double variance = dof > 0 ? residuals.squaredNorm() / dof : 0;
  if (variance <= known_variance) return;
  scale_ = std::sqrt((1 - known_variance / variance) * static_cast<double>(residuals.size()) / dof);
}

VectorXd ResidualNoise::Draw(Random& random) const {
  VectorXd drawn = VectorXd::Zero(residuals_.size());
  if (scale_ == 0) return drawn;
  const double scale = scale_ * std::sqrt(dof_ / random.ChiSquared(dof_));
  for (double& residual : drawn) residual = scale * residuals_[random.Index(residuals_.size())];
  return drawn;
}

Result<ForecastPlaces> MakePlaces(const AxisSeries& series, CouplingOver over, const char* method,
                                  const ForecastOptions& options) {
  TRY(CheckOptions(series, options));
  ForecastPlaces made{.forecast = Labels(series, over, method)};
  const std::vector<AxisObservation> chosen =
      over == CouplingOver::kScale ? TRY(SizesInOrder(series)) : TRY(TrainedInOrder(series));
  made.forecast.n = static_cast<int>(chosen.size());
  if (made.forecast.n < options.least_places) {
    made.forecast.reason = TooFew(made.forecast.n, options.least_places, over);
    return made;
  }
  if (over == CouplingOver::kSteps &&
      !std::ranges::all_of(chosen, [](const auto& at) { return at.tokens && *at.tokens > 0; })) {
    made.forecast.reason =
        "the tokens of some checkpoints are unknown; set tokens_per_step of the run";
    return made;
  }
  VectorXd positions(static_cast<Index>(chosen.size()));
  for (Index k = 0; k < positions.size(); ++k) positions[k] = std::log10(Place(chosen[k], over));
  for (Index k = 1; k < positions.size(); ++k) {
    if (positions[k] <= positions[k - 1]) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("run {}, step {:.0f}: tokens do not rise from the step before",
                              series.run, chosen[k].step));
    }
  }
  ScoreSample sample = DrawScores(series, chosen, options.replicates, options.seed);
  if (over == CouplingOver::kSteps) {
    const Index flat = FlatStart(sample.reasoning);
    const Index kept = positions.size() - flat;
    if (kept < options.least_places) {
      made.forecast.reason = fmt::format(
          "reasoning has left the score of its first checkpoint by more than 3 standard errors at "
          "{} of {} checkpoints only; at least {} are needed",
          kept - 1, positions.size(), options.least_places);
      return made;
    }
    positions = positions.tail(kept).eval();
    sample = SelectPlaces(sample, flat, kept);
    made.forecast.n = static_cast<int>(kept);
  }
  made.last = positions[positions.size() - 1];
  made.forecast.observed = Place(chosen.back(), over);
  made.forecast.horizon_low = options.horizon_low.value_or(std::pow(10, positions[0]));
  made.forecast.horizon_high = options.horizon_high.value_or(std::pow(10, made.last + 1));
  made.horizon = {std::log10(made.forecast.horizon_low), std::log10(made.forecast.horizon_high)};
  const MatrixXd combine = over == CouplingOver::kScale
                               ? MatrixXd::Identity(positions.size(), positions.size()).eval()
                               : Grouping(positions, options.most_places);
  made.positions = combine * positions;
  if (made.positions.size() < options.least_places) {
    made.forecast.reason = fmt::format(
        "the {} checkpoints fall into {} groups over log tokens; at least {} are needed",
        made.forecast.n, made.positions.size(), options.least_places);
    return made;
  }
  made.sample = CombinePlaces(sample, combine);
  return made;
}

Result<std::vector<Forecast>> ForecastSignChange(const AxisSeries& series, CouplingOver over,
                                                 const ForecastOptions& options) {
  std::vector<Forecast> forecasts;
  forecasts.push_back(TRY(ForecastByUShape(series, over, options)));
  forecasts.push_back(TRY(ForecastByLine(series, over, options)));
  if (over == CouplingOver::kScale) forecasts.push_back(TRY(ForecastByTurn(series, options)));
  forecasts.push_back(TRY(ForecastByOde(series, over, options)));
  return forecasts;
}

}  // namespace couplingd
