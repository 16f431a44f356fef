#include "coupling/local_coupling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "coupling/coupling_estimates.h"
#include "coupling/phase_evidence.h"
#include "coupling/score_sample.h"

namespace couplingd {
namespace {

using Eigen::Index;

// A run's trained checkpoints with where they lie.
struct Trajectory {
  std::vector<AxisObservation> observations;
  Eigen::VectorXd positions;  // log10 tokens or log10 steps
  Eigen::VectorXd reasoning, truthfulness;
  bool has_tokens = false;
};

Result<Trajectory> MakeTrajectory(const AxisSeries& series) {
  Trajectory trajectory{.observations = TRY(TrainedInOrder(series))};
  trajectory.has_tokens = std::ranges::all_of(
      trajectory.observations, [](const auto& at) { return at.tokens && *at.tokens > 0; });
  const auto places = static_cast<Index>(trajectory.observations.size());
  trajectory.positions.resize(places);
  trajectory.reasoning.resize(places);
  trajectory.truthfulness.resize(places);
  for (Index k = 0; k < trajectory.positions.size(); ++k) {
    const AxisObservation& at = trajectory.observations[k];
    trajectory.positions[k] = std::log10(trajectory.has_tokens ? *at.tokens : at.step);
    trajectory.reasoning[k] = ReasoningScore(at);
    trajectory.truthfulness[k] = TruthfulnessScore(at);
    if (k > 0 && trajectory.positions[k] <= trajectory.positions[k - 1]) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("run {}, step {:.0f}: tokens do not rise from the step before",
                              series.run, at.step));
    }
  }
  return trajectory;
}

const char* Noun(const Trajectory& trajectory) {
  return trajectory.has_tokens ? "tokens" : "steps";
}

// First place of the window that ends at `last` and spans `decades`, or -1 if the run does not
// reach far enough back.
Index WindowStart(const Trajectory& trajectory, Index last, const CouplingOptions& options,
                  double decades) {
  Index first = std::max<Index>(0, last + 1 - options.window);
  const double reach = trajectory.positions[last] - decades;
  while (first > 0 && trajectory.positions[first] > reach) --first;
  const bool is_enough =
      last + 1 - first >= options.least_checkpoints && trajectory.positions[first] <= reach;
  return is_enough ? first : -1;
}

std::string WhyNoWindow(const Trajectory& trajectory, const CouplingOptions& options) {
  const auto count = static_cast<int>(trajectory.observations.size());
  if (count < options.least_checkpoints) {
    return fmt::format("{} checkpoint{} after step 0; at least {} are needed", count,
                       count == 1 ? "" : "s", options.least_checkpoints);
  }
  const double first = trajectory.positions[0];
  const double span = trajectory.positions[count - 1] - first;
  return fmt::format(
      "the {} checkpoints span {:.2f} decades of {}; {:.2f} are needed, reached at {:.3g} {}",
      count, span, Noun(trajectory), options.least_decades,
      std::pow(10, first + options.least_decades), Noun(trajectory));
}

CouplingEstimate Labels(const AxisSeries& series, const AxisObservation& at) {
  return {.family = series.family,
          .run = series.run,
          .generation = series.generation,
          .axes = series.AxesText(),
          .over = CouplingOver::kSteps,
          .at = at.step,
          .tokens = at.tokens,
          .level = series.axes.level};
}

// Scores of the run's places from `first` on.
struct PlacedSample {
  ScoreSample scores;
  Index first = 0;
};

// From the window [first, last] and, so far as the sample reaches back, the wider ones around it.
PhaseEvidence EvidenceAt(const AxisSeries& series, const Trajectory& trajectory,
                         const PlacedSample& sample, Index first, Index last,
                         const CouplingOptions& options) {
  std::vector<Index> starts = {first};
  for (const double width : kNestedWidths) {
    const Index start = WindowStart(trajectory, last, options, width * options.least_decades);
    if (start >= sample.first && start < starts.back()) starts.push_back(start);
  }
  const Index count = last + 1;
  std::vector<PhaseEvidence> windows;
  for (const Index start : starts) {
    windows.push_back(MeasureEvidence(
        WindowEvidenceInput(series.axes, sample.scores, sample.first, start,
                            trajectory.positions.head(count), trajectory.reasoning.head(count),
                            trajectory.truthfulness.head(count)),
        options.bounds));
  }
  return CombineEvidence(windows);
}

// From the window [first, last], which the sample covers.
LocalCoupling EstimateAt(const AxisSeries& series, const Trajectory& trajectory,
                         const PlacedSample& sample, Index first, Index last,
                         const CouplingOptions& options) {
  const Index count = last + 1 - first;
  const ScoreSample scores = SelectPlaces(sample.scores, first - sample.first, count);
  const WindowInput input{.sample = scores,
                          .positions = trajectory.positions.segment(first, count),
                          .reasoning_chance = series.reasoning_chance,
                          .truthfulness_chance = series.truthfulness_chance};
  CouplingEstimate estimate = Labels(series, trajectory.observations[last]);
  estimate.n = static_cast<int>(count);
  estimate.method = "york+" + NoiseText(scores);
  if (!trajectory.has_tokens) estimate.method += " over log10 steps (tokens unknown)";
  WindowEstimate window =
      EstimateWindow(input, series.axes.level, options.bounds,
                     options.seed + static_cast<std::uint64_t>(trajectory.observations[last].step));
  if (MayHaveEvidence(window)) {
    estimate.evidence = EvidenceAt(series, trajectory, sample, first, last, options);
  }
  return FillEstimate(std::move(estimate), std::move(window));
}

}  // namespace

Status CheckOptions(const AxisSeries& series, const CouplingOptions& options) {
  const double level = series.axes.level;
  if (!(level > 0 && level < 1)) {
    return Fail(ErrorKind::kUsage,
                fmt::format("the level {} of axis pair {} is not between 0 and 1", level,
                            series.axes.name));
  }
  if (options.replicates < 100) {
    return Fail(
        ErrorKind::kUsage,
        fmt::format("{} replicates are too few for an interval; at least 100", options.replicates));
  }
  if (options.least_checkpoints < 3 || options.window < options.least_checkpoints ||
      options.least_sizes < 3) {
    return Fail(ErrorKind::kUsage,
                "a line needs at least 3 points, and the window at least as many");
  }
  if (!(options.bounds.tax < options.bounds.bonus)) {
    return Fail(ErrorKind::kUsage, "the tax bound must lie below the bonus bound");
  }
  return {};
}

bool MayHaveEvidence(const WindowEstimate& window) {
  const AxisMovement& reasoning = window.diagnostics.reasoning;
  const AxisMovement& truthfulness = window.diagnostics.truthfulness;
  return window.gamma && !reasoning.is_near_chance && !reasoning.is_at_ceiling &&
         !truthfulness.is_near_chance && !truthfulness.is_at_ceiling;
}

LocalCoupling FillEstimate(CouplingEstimate estimate, WindowEstimate window) {
  estimate.gamma = window.gamma;
  estimate.low = window.low;
  estimate.high = window.high;
  estimate.phase = window.phase;
  estimate.p_tax = window.p_tax;
  estimate.p_bonus = window.p_bonus;
  estimate.reason = std::move(window.reason);
  return {std::move(estimate), std::move(window.diagnostics)};
}

Result<LocalCoupling> CouplingOverSteps(const AxisSeries& series, const CouplingOptions& options) {
  TRY(CheckOptions(series, options));
  const Trajectory trajectory = TRY(MakeTrajectory(series));
  const Index last = trajectory.positions.size() - 1;
  const Index first = last < 0 ? -1 : WindowStart(trajectory, last, options, options.least_decades);
  if (first < 0) {
    LocalCoupling none{
        .estimate = Labels(series, last < 0 ? AxisObservation{} : trajectory.observations[last])};
    none.estimate.n = static_cast<int>(last + 1);
    none.estimate.reason = WhyNoWindow(trajectory, options);
    return none;
  }
  const PlacedSample sample{
      DrawScores(series,
                 std::span(trajectory.observations).subspan(static_cast<std::size_t>(first)),
                 options.replicates, options.seed),
      first};
  return EstimateAt(series, trajectory, sample, first, last, options);
}

Result<std::vector<LocalCoupling>> CouplingHistory(const AxisSeries& series,
                                                   const CouplingOptions& options) {
  TRY(CheckOptions(series, options));
  const Trajectory trajectory = TRY(MakeTrajectory(series));
  const PlacedSample sample{
      DrawScores(series, trajectory.observations, options.replicates, options.seed)};
  std::vector<LocalCoupling> history;
  for (Index last = 0; last < trajectory.positions.size(); ++last) {
    const Index first = WindowStart(trajectory, last, options, options.least_decades);
    if (first >= 0) {
      history.push_back(EstimateAt(series, trajectory, sample, first, last, options));
    }
  }
  return history;
}

}  // namespace couplingd
