#include <fmt/format.h>

#include <cmath>

#include "coupling/coupling_estimates.h"
#include "coupling/local_coupling.h"
#include "coupling/phase_evidence.h"
#include "coupling/score_sample.h"

namespace couplingd {
namespace {

using Eigen::Index;

CouplingEstimate Labels(const AxisSeries& series, double at, std::optional<double> tokens) {
  return {.family = series.family,
          .axes = series.AxesText(),
          .over = CouplingOver::kScale,
          .at = at,
          .tokens = tokens,
          .level = series.axes.level};
}

WindowInput Input(const AxisSeries& series, const ScoreSample& sample,
                  const Eigen::VectorXd& positions) {
  return {.sample = sample,
          .positions = positions,
          .reasoning_chance = series.reasoning_chance,
          .truthfulness_chance = series.truthfulness_chance,
          .place_noun = "size"};
}

LocalCoupling BetweenSizes(const AxisSeries& series, const std::vector<AxisObservation>& sizes,
                           const ScoreSample& all, const Eigen::VectorXd& positions, Index first,
                           const CouplingOptions& options) {
  const ScoreSample sample = SelectPlaces(all, first, 2);
  const Eigen::VectorXd pair = positions.segment(first, 2);
  CouplingEstimate estimate = Labels(series, std::pow(10, pair.mean()), sizes[first + 1].tokens);
  estimate.n = 2;
  estimate.method = "difference+" + NoiseText(sample);
  if (sample.reasoning.source == NoiseSource::kUnknown ||
      sample.truthfulness.source == NoiseSource::kUnknown) {
    const double change = sample.reasoning.scores[1] - sample.reasoning.scores[0];
    if (change != 0) {
      estimate.gamma = (sample.truthfulness.scores[1] - sample.truthfulness.scores[0]) / change;
    }
    estimate.reason =
        "no interval: neither items nor a standard error are known for both axes, and two sizes "
        "leave no residuals";
    return {.estimate = std::move(estimate)};
  }
  return FillEstimate(std::move(estimate),
                      EstimateWindow(Input(series, sample, pair), series.axes.level, options.bounds,
                                     options.seed + static_cast<std::uint64_t>(first)));
}

LocalCoupling OverAllSizes(const AxisSeries& series, const std::vector<AxisObservation>& sizes,
                           const ScoreSample& sample, const Eigen::VectorXd& positions,
                           const CouplingOptions& options) {
  CouplingEstimate estimate = sizes.empty()
                                  ? Labels(series, 0, std::nullopt)
                                  : Labels(series, *sizes.back().parameters, sizes.back().tokens);
  estimate.n = static_cast<int>(sizes.size());
  if (estimate.n < options.least_sizes) {
    estimate.reason = fmt::format("{} size{}; a line over scale needs at least {}", estimate.n,
                                  estimate.n == 1 ? "" : "s", options.least_sizes);
    return {.estimate = std::move(estimate)};
  }
  estimate.method = "york+" + NoiseText(sample);
  WindowEstimate window = EstimateWindow(Input(series, sample, positions), series.axes.level,
                                         options.bounds, options.seed);
  if (estimate.n >= kFewestForEvidence && MayHaveEvidence(window)) {
    estimate.evidence =
        MeasureEvidence(WindowEvidenceInput(series.axes, sample, 0, 0, positions,
                                            sample.reasoning.scores, sample.truthfulness.scores),
                        options.bounds);
  }
  return FillEstimate(std::move(estimate), std::move(window));
}

}  // namespace

Result<ScaleCoupling> CouplingOverScale(const AxisSeries& series, const CouplingOptions& options) {
  TRY(CheckOptions(series, options));
  const std::vector<AxisObservation> sizes = TRY(SizesInOrder(series));
  Eigen::VectorXd positions(static_cast<Index>(sizes.size()));
  for (Index k = 0; k < positions.size(); ++k) positions[k] = std::log10(*sizes[k].parameters);
  ScoreSample sample;
  if (!sizes.empty()) sample = DrawScores(series, sizes, options.replicates, options.seed);
  ScaleCoupling coupling;
  for (Index first = 0; first + 1 < positions.size(); ++first) {
    coupling.local.push_back(BetweenSizes(series, sizes, sample, positions, first, options));
  }
  coupling.population = OverAllSizes(series, sizes, sample, positions, options);
  return coupling;
}

}  // namespace couplingd
