#include "tests/alerts/trial_world.h"

#include "alerts/lifecycle.h"

namespace couplingd::testing {

std::string KeyOf(const Condition& condition) {
  return AlertKey(condition.rule, condition.run, condition.subject);
}

FinalState EndOf(const std::vector<Condition>& world, const std::vector<Alert>& alerts,
                 bool inhibits, Figures& figures) {
  FinalState end;
  std::set<std::string> overdue;  // runs whose other alerts are inhibited
  for (const Condition& condition : world) {
    if (condition.rule == "checkpoint_overdue" && condition.holds) overdue.insert(condition.run);
  }
  std::set<std::string> firing;
  for (const Alert& alert : alerts) {
    const bool fires = alert.state == AlertState::kFiring;
    if (fires) firing.insert(alert.key);
    end.alerts.push_back({alert.key, alert.sequence, fires});
  }
  for (const Condition& condition : world) {
    const std::string key = KeyOf(condition);
    figures.lost_firing += condition.holds && !firing.contains(key);
    figures.lost_resolved += !condition.holds && firing.contains(key);
    const bool is_critical = condition.rule == "checkpoint_overdue";
    const bool is_held = !is_critical && inhibits && overdue.contains(condition.run);
    if (!condition.holds || is_held) continue;
    end.must_know.insert({"ops", key});
    if (is_critical) end.must_know.insert({"pager", key});
  }
  return end;
}

}  // namespace couplingd::testing
