#include "history/conditions.h"

namespace couplingd {

Conditions RunAndStepConditions(const HistoryFilter& filter) {
  Conditions conditions;
  conditions.AddText("r.name = ?", filter.run);
  conditions.AddText("r.family = ?", filter.family);
  if (!filter.generation) conditions.Add("c.generation = r.generation");
  if (filter.generation.value_or(0) != 0) {
    conditions.Add("c.generation = ?", std::int64_t{*filter.generation});
  }
  conditions.AddBound("c.step >= ?", filter.min_step);
  conditions.AddBound("c.step <= ?", filter.max_step);
  conditions.AddBound("c.tokens >= ?", filter.min_tokens);
  conditions.AddBound("c.tokens <= ?", filter.max_tokens);
  return conditions;
}

bool MatchesAxes(const HistoryFilter& filter, std::string_view axes) {
  if (filter.task.empty() && filter.metric.empty()) return true;
  while (!axes.empty()) {
    const std::size_t comma = axes.find(',');
    const std::optional<TaskMetric> axis = TaskMetric::Parse(axes.substr(0, comma));
    if (axis && (filter.task.empty() || axis->task == filter.task) &&
        (filter.metric.empty() || axis->metric == filter.metric)) {
      return true;
    }
    axes.remove_prefix(comma == std::string_view::npos ? axes.size() : comma + 1);
  }
  return false;
}

}  // namespace couplingd
