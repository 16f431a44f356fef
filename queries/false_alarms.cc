#include "queries/false_alarms.h"

#include <algorithm>
#include <map>
#include <set>

#include "alerts/false_alarms.h"
#include "alerts/rules.h"
#include "coupling/score_drop.h"

namespace couplingd {
namespace {

// The names of the configured runs, and of their families.
struct Watched {
  std::set<std::string> runs, families;

  bool Holds(const LookCount& count) const {
    return count.over == CouplingOver::kSteps ? runs.contains(count.run)
                                              : families.contains(count.family);
  }
};

Result<Watched> WatchedBy(HistoryReader& history, const Config& config) {
  Watched watched;
  for (const RunConfig& run : config.runs) {
    watched.runs.insert(run.name);
    if (const auto known = TRY(history.FindRun(run.name))) watched.families.insert(known->family);
  }
  return watched;
}

bool Watches(const RuleConfig& rule, const std::vector<AxisPair>& axes, const std::string& text) {
  return std::ranges::any_of(axes, [&](const AxisPair& pair) {
    return AxesText(pair) == text && (rule.axes.empty() || rule.axes == pair.name);
  });
}

// Comparisons of scores begin once enough checkpoints came before (queries/score_evidence.h).
Result<FalseAlarmBudget> OfScores(HistoryReader& history, const Config& config,
                                  const Watched& watched, const RuleConfig& rule) {
  FalseAlarmBudget budget{.rule = rule.name, .rate = rule.false_alarm_rate};
  for (const std::string& metric : RuleMetrics(rule, config.axes)) {
    const std::optional<TaskMetric> parsed = TaskMetric::Parse(metric);
    if (!parsed) continue;
    HistoryFilter filter;
    filter.task = parsed->task;
    filter.metric = parsed->metric;
    filter.generation = 0;
    std::map<std::pair<std::string, int>, std::set<std::int64_t>> steps;
    for (const ScoreRow& row : TRY(history.Scores(filter))) {
      if (row.step <= 0 || !watched.runs.contains(row.run)) continue;
      if (WatchesRun(rule, row.run, row.family)) steps[{row.run, row.generation}].insert(row.step);
    }
    for (const auto& [run, scored] : steps) {
      const std::int64_t looks = std::ssize(scored) - kFewestForDrop;
      if (looks <= 0) continue;
      ++budget.series;
      budget.estimates += looks;
      budget.expected += SpentRate(rule.false_alarm_rate, looks);
    }
  }
  return budget;
}

}  // namespace

Result<std::vector<FalseAlarmBudget>> FalseAlarmBudgets(HistoryReader& history,
                                                        const Config& config) {
  const Watched watched = TRY(WatchedBy(history, config));
  std::vector<LookCount> looks = TRY(history.Looks({}));
  std::erase_if(looks, [&](const LookCount& count) { return !watched.Holds(count); });
  std::vector<FalseAlarmBudget> budgets;
  for (const RuleConfig& rule : config.rules) {
    if (rule.kind == "score_regression")
      budgets.push_back(TRY(OfScores(history, config, watched, rule)));
    if (rule.kind != "phase") continue;
    FalseAlarmBudget budget{.rule = rule.name, .rate = rule.false_alarm_rate};
    for (const LookCount& count : looks) {
      if (!Watches(rule, config.axes, count.axes)) continue;
      if (!WatchesRun(rule, count.run.empty() ? count.family : count.run, count.family)) continue;
      ++budget.series;
      budget.estimates += count.looks;
      budget.expected += SpentRate(rule.false_alarm_rate, count.looks);
    }
    budgets.push_back(std::move(budget));
  }
  return budgets;
}

void WriteFalseAlarms(JsonWriter& json, const std::vector<FalseAlarmBudget>& budgets) {
  double expected = 0;
  for (const FalseAlarmBudget& budget : budgets) expected += budget.expected;
  json.BeginObject().Field("expected", expected).Key("rules").BeginArray();
  for (const FalseAlarmBudget& budget : budgets) {
    json.BeginObject().Field("rule", budget.rule).Field("rate", budget.rate);
    json.Field("series", budget.series).Field("estimates", budget.estimates);
    json.Field("expected", budget.expected).EndObject();
  }
  json.EndArray().EndObject();
}

}  // namespace couplingd
