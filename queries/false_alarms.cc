#include "queries/false_alarms.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "alerts/false_alarms.h"
#include "alerts/rules.h"

namespace couplingd {
namespace {

using Series = std::tuple<std::string, int, std::string>;  // run, generation, axes

bool IsConfigured(const Config& config, const std::string& run) {
  return std::ranges::find(config.runs, run, &RunConfig::name) != config.runs.end();
}

bool Watches(const RuleConfig& rule, const std::vector<AxisPair>& axes, const std::string& text) {
  return std::ranges::any_of(axes, [&](const AxisPair& pair) {
    return AxesText(pair) == text && (rule.axes.empty() || rule.axes == pair.name);
  });
}

}  // namespace

Result<std::vector<FalseAlarmBudget>> FalseAlarmBudgets(HistoryReader& history,
                                                        const Config& config) {
  HistoryFilter every_generation;
  every_generation.generation = 0;
  std::map<Series, std::int64_t> looks;
  for (const CouplingEstimate& estimate : TRY(history.Couplings(every_generation))) {
    if (estimate.over != CouplingOver::kSteps || !estimate.evidence) continue;
    if (!IsConfigured(config, estimate.run)) continue;
    ++looks[{estimate.run, estimate.generation, estimate.axes}];
  }
  std::vector<FalseAlarmBudget> budgets;
  for (const RuleConfig& rule : config.rules) {
    if (rule.kind != "phase") continue;
    FalseAlarmBudget budget{.rule = rule.name, .rate = rule.false_alarm_rate};
    for (const auto& [series, count] : looks) {
      if (!Watches(rule, config.axes, std::get<2>(series))) continue;
      ++budget.series;
      budget.estimates += count;
      budget.expected += SpentRate(rule.false_alarm_rate, count);
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
