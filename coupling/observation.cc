#include "coupling/observation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace couplingd {
namespace {

struct AxisView {
  const char* name;
  double AxisObservation::*value;
  std::optional<double> AxisObservation::*standard_error;
  std::vector<double> AxisObservation::*items;
  std::string AxisObservation::*plan;
  const std::vector<std::string>* clusters;
};

std::string Place(const AxisSeries& series, const AxisObservation& at) {
  const std::string subject = series.run.empty() ? "family " + series.family : "run " + series.run;
  if (series.run.empty() && at.parameters) {
    return fmt::format("{}, {:.4g} parameters", subject, *at.parameters);
  }
  return fmt::format("{}, step {:.0f}", subject, at.step);
}

std::unexpected<Error> Bad(const AxisSeries& series, const AxisObservation& at,
                           const std::string& what, std::string hint = "") {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: {}", Place(series, at), what),
              std::move(hint));
}

double MeanOr(const std::vector<double>& items, double aggregate) {
  if (items.empty()) return aggregate;
  return std::accumulate(items.begin(), items.end(), 0.0) / static_cast<double>(items.size());
}

bool AllFinite(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double value) { return std::isfinite(value); });
}

Status CheckPlace(const AxisSeries& series, const AxisObservation& at) {
  if (!std::isfinite(at.step) || at.step < 0)
    return Bad(series, at, "the step is not a number ≥ 0");
  if (at.tokens && !(std::isfinite(*at.tokens) && *at.tokens >= 0)) {
    return Bad(series, at, "the token count is not a number ≥ 0");
  }
  if (at.parameters && !(std::isfinite(*at.parameters) && *at.parameters > 0)) {
    return Bad(series, at, "the parameter count is not a number > 0");
  }
  return {};
}

Status CheckAxis(const AxisSeries& series, const AxisView& axis) {
  const AxisObservation* first = nullptr;  // with items
  for (const AxisObservation& at : series.observations) {
    const auto& items = at.*axis.items;
    const auto& standard_error = at.*axis.standard_error;
    if (items.empty() && !std::isfinite(at.*axis.value)) {
      return Bad(series, at, fmt::format("the {} score is not finite", axis.name));
    }
    if (standard_error && !(std::isfinite(*standard_error) && *standard_error >= 0)) {
      return Bad(series, at, fmt::format("the {} standard error is not a number ≥ 0", axis.name));
    }
    if (items.empty()) continue;
    if (!AllFinite(items)) {
      return Bad(series, at, fmt::format("an item of {} is not finite", axis.name));
    }
    if (!axis.clusters->empty() && axis.clusters->size() != items.size()) {
      return Bad(series, at,
                 fmt::format("{} has {} items and {} cluster names", axis.name, items.size(),
                             axis.clusters->size()));
    }
    if (first == nullptr) {
      first = &at;
      continue;
    }
    const bool same_plan = (at.*axis.plan).empty() || ((*first).*axis.plan).empty() ||
                           at.*axis.plan == (*first).*axis.plan;
    if (items.size() != ((*first).*axis.items).size() || !same_plan) {
      return Bad(series, at,
                 fmt::format("{} was scored on other items ({}) than at {} ({})", axis.name,
                             items.size(), Place(series, *first), ((*first).*axis.items).size()),
                 "one series holds one plan; evaluate the checkpoint again with the same pack");
    }
  }
  return {};
}

Result<std::vector<AxisObservation>> InOrder(const AxisSeries& series,
                                             std::vector<AxisObservation> chosen,
                                             double (*place)(const AxisObservation&),
                                             const char* what) {
  std::ranges::stable_sort(chosen, {}, place);
  for (std::size_t i = 1; i < chosen.size(); ++i) {
    if (place(chosen[i - 1]) == place(chosen[i])) {
      return Bad(series, chosen[i], fmt::format("two observations of one {}", what),
                 fmt::format("a series holds one observation per {}; pass the newest", what));
    }
  }
  return chosen;
}

}  // namespace

double ReasoningScore(const AxisObservation& at) {
  return MeanOr(at.reasoning_items, at.reasoning);
}

double TruthfulnessScore(const AxisObservation& at) {
  return MeanOr(at.truthfulness_items, at.truthfulness);
}

std::string AxisSeries::AxesText() const {
  return axes.reasoning.Text() + "," + axes.truthfulness.Text();
}

Status CheckSeries(const AxisSeries& series) {
  for (const AxisObservation& at : series.observations) {
    TRY(CheckPlace(series, at));
    if (series.axes_share_items && at.reasoning_items.size() != at.truthfulness_items.size()) {
      return Bad(series, at,
                 fmt::format("the axes are said to share items and have {} and {}",
                             at.reasoning_items.size(), at.truthfulness_items.size()));
    }
  }
  TRY(CheckAxis(series, {"reasoning", &AxisObservation::reasoning,
                         &AxisObservation::reasoning_stderr, &AxisObservation::reasoning_items,
                         &AxisObservation::reasoning_plan, &series.reasoning_clusters}));
  return CheckAxis(series,
                   {"truthfulness", &AxisObservation::truthfulness,
                    &AxisObservation::truthfulness_stderr, &AxisObservation::truthfulness_items,
                    &AxisObservation::truthfulness_plan, &series.truthfulness_clusters});
}

Result<std::vector<AxisObservation>> TrainedInOrder(const AxisSeries& series) {
  TRY(CheckSeries(series));
  std::vector<AxisObservation> trained;
  for (const AxisObservation& at : series.observations) {
    if (at.step > 0) trained.push_back(at);
  }
  return InOrder(
      series, std::move(trained), [](const AxisObservation& at) { return at.step; }, "step");
}

Result<std::vector<AxisObservation>> SizesInOrder(const AxisSeries& series) {
  TRY(CheckSeries(series));
  for (const AxisObservation& at : series.observations) {
    if (!at.parameters) {
      return Bad(series, at, "the parameter count is unknown",
                 "set `parameters` of the run in the configuration");
    }
  }
  return InOrder(
      series, series.observations, [](const AxisObservation& at) { return *at.parameters; },
      "size");
}

}  // namespace couplingd
