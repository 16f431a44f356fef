#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "coupling/size_matching.h"
#include "queries/analysis.h"
#include "queries/item_reader.h"

namespace couplingd {
namespace {

using Place = std::tuple<std::string, int, std::int64_t>;  // run, generation, step
using RowsByPlace = std::map<Place, ScoreRow>;

Result<RowsByPlace> RowsOf(HistoryReader& history, const TaskMetric& axis, HistoryFilter filter) {
  filter.task = axis.task;
  filter.metric = axis.metric;
  std::vector<ScoreRow> rows = TRY(history.Scores(filter));
  KeepCommonestSeries(rows);
  RowsByPlace places;
  for (ScoreRow& row : rows) {
    const Place place{row.run, row.generation, row.step};
    places.insert_or_assign(place, std::move(row));
  }
  return places;
}

AxisObservation Observe(ItemReader& items, const ScoreRow& reasoning,
                        const ScoreRow& truthfulness) {
  AxisObservation observation;
  observation.step = static_cast<double>(reasoning.step);
  observation.tokens = reasoning.tokens;
  observation.parameters = reasoning.parameters;
  observation.reasoning = reasoning.score.value;
  observation.truthfulness = truthfulness.score.value;
  observation.reasoning_stderr = reasoning.score.stderr_value;
  observation.truthfulness_stderr = truthfulness.score.stderr_value;
  observation.reasoning_items = items.Items(reasoning);
  observation.truthfulness_items = items.Items(truthfulness);
  observation.reasoning_plan = reasoning.plan_hash;
  observation.truthfulness_plan = truthfulness.plan_hash;
  return observation;
}

// Item noise is estimated from items everywhere or from standard errors everywhere, never from a
// mix.
void DropPartialItems(AxisSeries& series) {
  const auto has_items = [](const AxisObservation& o) {
    return !o.reasoning_items.empty() && !o.truthfulness_items.empty();
  };
  if (std::all_of(series.observations.begin(), series.observations.end(), has_items)) return;
  for (AxisObservation& observation : series.observations) {
    observation.reasoning_items.clear();
    observation.truthfulness_items.clear();
  }
  series.reasoning_clusters.clear();
  series.truthfulness_clusters.clear();
  series.axes_share_items = false;
}

}  // namespace

Result<std::vector<AxisSeries>> CollectSeries(HistoryReader& history, const AxisPair& axes,
                                              const HistoryFilter& filter) {
  const RowsByPlace reasoning = TRY(RowsOf(history, axes.reasoning, filter));
  const RowsByPlace truthfulness = TRY(RowsOf(history, axes.truthfulness, filter));
  ItemReader items(history.ScoresDirectory());
  std::map<RunGeneration, AxisSeries> by_run;
  for (const auto& [place, row] : reasoning) {
    const auto other = truthfulness.find(place);
    if (other == truthfulness.end()) continue;
    AxisSeries& series = by_run[{row.run, row.generation}];
    if (series.observations.empty()) {
      series.family = row.family;
      series.run = row.run;
      series.generation = row.generation;
      series.axes = axes;
      series.reasoning_clusters = items.Clusters(row);
      series.truthfulness_clusters = items.Clusters(other->second);
      series.axes_share_items = !row.plan_hash.empty() && row.plan_hash == other->second.plan_hash;
      series.reasoning_chance = items.Chance(row);
      series.truthfulness_chance = items.Chance(other->second);
    }
    series.observations.push_back(Observe(items, row, other->second));
  }
  std::vector<AxisSeries> all;
  for (auto& [run, series] : by_run) {
    DropPartialItems(series);
    all.push_back(std::move(series));
  }
  return all;
}

Result<FamilySizes> FamilySeries(const std::vector<AxisSeries>& runs, const std::string& match) {
  if (runs.empty()) return Fail(ErrorKind::kNotFound, "no run of the family has both axes scored");
  std::vector<std::string> left_out;
  std::map<double, const AxisSeries*> by_size;
  for (const AxisSeries& run : runs) {
    if (run.observations.empty() || !run.observations[0].parameters) {
      left_out.push_back(fmt::format("run {}: its number of parameters is unknown", run.run));
      continue;
    }
    const AxisSeries*& chosen = by_size[*run.observations[0].parameters];
    const AxisSeries* other = &run;
    if (!chosen || std::tie(chosen->run, chosen->generation) < std::tie(run.run, run.generation)) {
      other = std::exchange(chosen, &run);
    }
    if (other && other->run != chosen->run) {
      left_out.push_back(fmt::format("run {}: run {} has the same size", other->run, chosen->run));
    }
  }
  if (by_size.empty()) {
    return Fail(ErrorKind::kNotFound,
                fmt::format("no run of family {} has a known number of parameters", runs[0].family),
                "set parameters of the run in the configuration");
  }
  std::vector<std::vector<AxisObservation>> observations;
  for (const auto& [size, run] : by_size) observations.push_back(run->observations);
  const std::optional<SizeMatch> kind = ParseSizeMatch(match);
  if (!kind) return Fail(ErrorKind::kUsage, fmt::format("match: \"{}\" is unknown", match));
  MatchedSizes matched = TRY(MatchSizes(observations, *kind));
  AxisSeries family = *by_size.rbegin()->second;
  family.run.clear();
  family.generation = 1;
  family.observations = std::move(matched.chosen);
  DropPartialItems(family);
  std::ranges::move(matched.left_out, std::back_inserter(left_out));
  return FamilySizes{std::move(family), std::move(left_out)};
}

}  // namespace couplingd
