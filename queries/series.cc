#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "coupling/size_matching.h"
#include "history/score_file.h"
#include "probes/benchmark/metrics.h"
#include "queries/analysis.h"

namespace couplingd {
namespace {

using Place = std::tuple<std::string, int, std::int64_t>;  // run, generation, step
using RunGeneration = std::pair<std::string, int>;
using RowsByPlace = std::map<Place, ScoreRow>;

// The rows of one metric, those of the commonest series key of each run only.
Result<RowsByPlace> RowsOf(HistoryReader& history, const TaskMetric& axis, HistoryFilter filter) {
  filter.task = axis.task;
  filter.metric = axis.metric;
  const std::vector<ScoreRow> rows = TRY(history.Scores(filter));
  std::map<RunGeneration, std::map<std::string, int>> keys;
  for (const ScoreRow& row : rows) ++keys[{row.run, row.generation}][row.series_key];
  RowsByPlace places;
  for (const ScoreRow& row : rows) {
    const auto& counts = keys[{row.run, row.generation}];
    const auto commonest =
        std::max_element(counts.begin(), counts.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    if (row.series_key == commonest->first) {
      places.insert_or_assign({row.run, row.generation, row.step}, row);
    }
  }
  return places;
}

// Items of one metric with their clusters, from the plan and score files. Plans are read once.
class ItemReader {
 public:
  explicit ItemReader(std::string directory) : directory_(std::move(directory)) {}

  // Empty where only aggregates are known or the files are gone.
  std::vector<double> Items(const ScoreRow& row) {
    if (row.plan_hash.empty() || row.scores_hash.empty()) return {};
    const TaskPlan* plan = Plan(row.plan_hash);
    if (!plan) return {};
    const Result<TaskScores> scores = ReadScoreFile(directory_, row.scores_hash);
    if (!scores) return {};
    const auto metrics = ComputeMetrics(*plan, *scores);
    if (!metrics) return {};
    for (const MetricResult& metric : *metrics) {
      if (metric.score.metric == row.score.metric) return metric.per_item;
    }
    return {};
  }

  std::vector<std::string> Clusters(const ScoreRow& row) {
    std::vector<std::string> clusters;
    const TaskPlan* plan = row.plan_hash.empty() ? nullptr : Plan(row.plan_hash);
    if (!plan) return clusters;
    bool any = false;
    for (const ItemInfo& item : plan->items) {
      clusters.push_back(item.cluster);
      any |= !item.cluster.empty();
    }
    return any ? clusters : std::vector<std::string>();
  }

  // The score of guessing: the mean share of true choices. Meaningful for accuracies only.
  std::optional<double> Chance(const ScoreRow& row) {
    const TaskPlan* plan = row.plan_hash.empty() ? nullptr : Plan(row.plan_hash);
    if (!plan || !row.score.metric.starts_with("acc") || plan->items.empty()) return std::nullopt;
    double sum = 0;
    for (const ItemInfo& item : plan->items) {
      const auto is_true = std::count_if(item.choices.begin(), item.choices.end(),
                                         [](const ChoiceInfo& choice) { return choice.is_true; });
      sum += static_cast<double>(is_true) / static_cast<double>(item.choices.size());
    }
    return sum / static_cast<double>(plan->items.size());
  }

 private:
  const TaskPlan* Plan(const std::string& hash) {
    auto [entry, is_new] = plans_.try_emplace(hash);
    if (is_new) {
      if (Result<TaskPlan> plan = ReadPlanFile(directory_, hash)) entry->second = *std::move(plan);
    }
    return entry->second ? &*entry->second : nullptr;
  }

  const std::string directory_;
  std::map<std::string, std::optional<TaskPlan>> plans_;
};

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

Result<AxisSeries> FamilySeries(const std::vector<AxisSeries>& runs, const std::string& match) {
  if (runs.empty()) return Fail(ErrorKind::kNotFound, "no run of the family has both axes scored");
  std::map<double, const AxisSeries*> by_size;
  for (const AxisSeries& run : runs) {
    if (run.observations.empty() || !run.observations[0].parameters) continue;
    const AxisSeries*& chosen = by_size[*run.observations[0].parameters];
    if (!chosen || std::tie(chosen->run, chosen->generation) < std::tie(run.run, run.generation)) {
      chosen = &run;
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
  return family;
}

}  // namespace couplingd
