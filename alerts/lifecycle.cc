#include "alerts/lifecycle.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "alerts/rules.h"
#include "base/hash.h"
#include "records/finding_fields.h"

namespace couplingd {
namespace {

// True where a rule has a list that names neither.
bool IsNotListed(const std::map<std::string, std::set<std::string>>& lists, const std::string& rule,
                 const std::string& name, const std::string& other) {
  const auto list = lists.find(rule);
  return list != lists.end() && !list->second.contains(name) && !list->second.contains(other);
}

// Why an open alert is over whatever the rules find; nullopt where it is still about something
// configured.
std::optional<std::string> WhyOutOfScope(const Finding& fired, const AlertScope& scope) {
  if (!scope.rules.contains(fired.rule)) {
    return fmt::format("rule removed: \"{}\" is no longer configured", fired.rule);
  }
  if (!fired.run.empty() && !scope.runs.contains(fired.run)) {
    return fmt::format("run removed: \"{}\" is no longer configured", fired.run);
  }
  if (IsNotListed(scope.rule_runs, fired.rule, fired.run, LabelOf(fired, "family"))) {
    return fmt::format("run removed: rule \"{}\" no longer watches {}", fired.rule, fired.run);
  }
  if (IsNotListed(scope.rule_subjects, fired.rule, fired.subject, fired.subject)) {
    return fmt::format("subject removed: rule \"{}\" no longer watches {}", fired.rule,
                       fired.subject);
  }
  const std::string axes = LabelOf(fired, "axes");
  if (!axes.empty() && !scope.axes.contains(axes)) {
    return fmt::format("axes removed: \"{}\" is no longer configured", axes);
  }
  return std::nullopt;
}

// The rule kept its name but watches for something else now.
bool RuleChanged(const Finding& fired, const Finding& now) {
  return fired.kind != now.kind || LabelOf(fired, "phase") != LabelOf(now, "phase");
}

std::optional<std::string> WhyOver(const Finding& fired, const Finding* now,
                                   const AlertScope& scope) {
  if (const std::optional<std::string> reason = WhyOutOfScope(fired, scope)) return reason;
  if (!now) return std::nullopt;
  if (RuleChanged(fired, *now)) return fmt::format("rule changed: \"{}\"", fired.rule);
  if (now->active) return std::nullopt;
  return now->summary;
}

Alert Begun(const Finding& finding, const std::string& key, AlertState state, std::int64_t sequence,
            UnixMillis now) {
  Alert alert;
  alert.key = key;
  alert.sequence = sequence;
  alert.state = state;
  alert.starts_at = now;
  alert.finding = finding;
  return alert;
}

Alert Resolved(Alert alert, std::string reason, UnixMillis now) {
  ++alert.sequence;
  alert.state = AlertState::kResolved;
  alert.ends_at = now;
  alert.finding.active = false;
  alert.resolution = std::move(reason);
  return alert;
}

bool IsOpen(const Alert* alert) { return alert && alert->state != AlertState::kResolved; }

// The state that an alert whose finding is active goes to; nullopt where it stays as it is.
std::optional<AlertState> NextState(const Alert* alert, std::chrono::milliseconds hold_for,
                                    UnixMillis now) {
  if (!IsOpen(alert)) return hold_for.count() > 0 ? AlertState::kPending : AlertState::kFiring;
  const bool has_held =
      alert->state == AlertState::kPending && now - alert->starts_at >= hold_for.count();
  return has_held ? std::optional(AlertState::kFiring) : std::nullopt;
}

std::chrono::milliseconds HoldFor(const AlertScope& scope, const std::string& rule) {
  const auto found = scope.hold_for.find(rule);
  return found == scope.hold_for.end() ? std::chrono::milliseconds(0) : found->second;
}

}  // namespace

AlertScope ScopeOf(const Config& config) {
  AlertScope scope;
  for (const RuleConfig& rule : config.rules) {
    scope.rules.insert(rule.name);
    scope.hold_for[rule.name] = rule.hold_for;
    if (!rule.runs.empty()) scope.rule_runs[rule.name].insert(rule.runs.begin(), rule.runs.end());
    const std::set<std::string> subjects = RuleSubjects(rule, config);
    if (!subjects.empty()) scope.rule_subjects[rule.name] = subjects;
  }
  for (const RunConfig& run : config.runs) {
    scope.runs.insert(run.name);
    scope.runs.insert(run.family.empty() ? run.name : run.family);
  }
  for (const AxisPair& axes : config.axes) scope.axes.insert(AxesText(axes));
  return scope;
}

std::string AlertKey(const std::string& rule, const std::string& run, const std::string& subject) {
  return HashHex(fmt::format("{}{}{}{}{}", rule, '\0', run, '\0', subject));
}

std::vector<Alert> AlertTransitions(const std::vector<Alert>& known,
                                    const std::vector<Finding>& findings, const AlertScope& scope,
                                    UnixMillis now) {
  std::map<std::string, const Alert*> newest;
  for (const Alert& alert : known) {
    if (!alert.is_test) newest[alert.key] = &alert;
  }
  std::vector<std::string> order;
  std::map<std::string, const Finding*> found;
  for (const Finding& finding : findings) {
    const std::string key = AlertKey(finding.rule, finding.run, finding.subject);
    const auto [entry, is_new] = found.emplace(key, &finding);
    if (is_new) order.push_back(key);
    if (finding.active) entry->second = &finding;
  }
  std::vector<Alert> transitions;
  for (const std::string& key : order) {
    const Finding& finding = *found[key];
    const auto entry = newest.find(key);
    const Alert* alert = entry == newest.end() ? nullptr : entry->second;
    if (!finding.active || WhyOutOfScope(finding, scope)) continue;
    if (IsOpen(alert) && RuleChanged(alert->finding, finding)) continue;
    const auto state = NextState(alert, HoldFor(scope, finding.rule), now);
    if (!state) continue;
    transitions.push_back(Begun(finding, key, *state, alert ? alert->sequence + 1 : 1, now));
  }
  for (const Alert& alert : known) {
    if (alert.is_test || !IsOpen(&alert)) continue;
    const auto entry = found.find(alert.key);
    const Finding* finding = entry == found.end() ? nullptr : entry->second;
    std::optional<std::string> reason = WhyOver(alert.finding, finding, scope);
    if (!reason) continue;
    if (alert.state == AlertState::kPending) *reason = "It ended before it fired. " + *reason;
    transitions.push_back(Resolved(alert, std::move(*reason), now));
  }
  return transitions;
}

}  // namespace couplingd
