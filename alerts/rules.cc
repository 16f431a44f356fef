#include "alerts/rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "alerts/rule_kinds.h"
#include "records/annotation.h"

namespace couplingd {
namespace {

struct RuleKind {
  std::string_view name;
  std::vector<Finding> (*evaluate)(const RuleConfig&, const RuleInputs&);
};

constexpr RuleKind kRuleKinds[] = {
    {"phase", EvaluatePhase},
    {"sign_change", EvaluateSignChange},
    {"score_regression", EvaluateScoreRegression},
    {"axis_spent", EvaluateAxisSpent},
    {"dimension_collapse", EvaluateDimensionCollapse},
    {"evaluation_failing", EvaluateEvaluationFailing},
    {"checkpoint_overdue", EvaluateCheckpointOverdue},
    {"bad_checkpoint", EvaluateBadCheckpoint},
    {"queue_growing", EvaluateQueueGrowing},
    {"sink_broken", EvaluateSinkBroken},
};

// What the user has the rule say.
void Annotate(const RuleConfig& rule, Finding& finding) {
  finding.labels.insert(rule.labels.begin(), rule.labels.end());
  if (!rule.summary.empty()) finding.summary = FillFields(rule.summary, finding);
  if (!rule.note.empty()) {
    finding.description += fmt::format("{}{}", finding.description.empty() ? "" : "\n",
                                       FillFields(rule.note, finding));
  }
}

bool Watches(const RuleConfig& rule, const Finding& finding) {
  const auto family = finding.labels.find("family");
  return WatchesRun(rule, finding.run, family == finding.labels.end() ? "" : family->second);
}

}  // namespace

std::vector<Finding> EvaluateRules(const std::vector<RuleConfig>& rules, const RuleInputs& inputs) {
  std::vector<Finding> findings;
  for (const RuleConfig& rule : rules) {
    for (const RuleKind& kind : kRuleKinds) {
      if (kind.name != rule.kind) continue;
      for (Finding& finding : kind.evaluate(rule, inputs)) {
        if (!Watches(rule, finding)) continue;
        if (finding.active) Annotate(rule, finding);
        findings.push_back(std::move(finding));
      }
    }
  }
  return findings;
}

std::vector<std::string_view> RuleKinds() {
  std::vector<std::string_view> names;
  for (const RuleKind& kind : kRuleKinds) names.push_back(kind.name);
  return names;
}

std::vector<std::string> RuleMetrics(const RuleConfig& rule, const std::vector<AxisPair>& axes) {
  if (!rule.metrics.empty()) return rule.metrics;
  std::vector<std::string> metrics;
  for (const AxisPair& pair : axes) {
    if (!rule.axes.empty() && rule.axes != pair.name) continue;
    for (const TaskMetric* axis : {&pair.reasoning, &pair.truthfulness}) {
      if (std::ranges::find(metrics, axis->Text()) == metrics.end()) {
        metrics.push_back(axis->Text());
      }
    }
  }
  return metrics;
}

std::set<std::string> RuleSubjects(const RuleConfig& rule, const Config& config) {
  std::set<std::string> subjects;
  const std::vector<std::string> metrics = RuleMetrics(rule, config.axes);
  if (rule.kind == "score_regression") subjects.insert(metrics.begin(), metrics.end());
  if (rule.kind == "dimension_collapse") subjects.insert(DimensionSubject(metrics));
  if (rule.kind == "sink_broken") {
    for (const SinkConfig& sink : config.sinks) subjects.insert(sink.name);
    subjects.insert("");  // an empty list is a list, too: no sink is left
  }
  return subjects;
}

std::string DimensionSubject(const std::vector<std::string>& metrics) {
  return fmt::format("d_eff,{}", fmt::join(metrics, ","));
}

int RuleHold(const RuleConfig& rule) {
  if (rule.hold > 0) return rule.hold;
  return rule.kind == "axis_spent" ? 8 : rule.kind == "score_regression" ? 2 : 1;
}

bool WatchesRun(const RuleConfig& rule, const std::string& run, const std::string& family) {
  return rule.runs.empty() || std::ranges::find(rule.runs, run) != rule.runs.end() ||
         std::ranges::find(rule.runs, family) != rule.runs.end();
}

std::string AxesText(const AxisPair& axes) {
  return fmt::format("{},{}", axes.reasoning.Text(), axes.truthfulness.Text());
}

Finding NewFinding(const RuleConfig& rule, const std::string& run, const std::string& subject,
                   bool active) {
  Finding finding;
  finding.rule = rule.name;
  finding.kind = rule.kind;
  finding.run = run;
  finding.subject = subject;
  finding.active = active;
  finding.severity = rule.severity;
  finding.labels["alertname"] = rule.name;
  finding.labels["severity"] = ToString(rule.severity);
  if (!rule.runbook.empty()) finding.labels["runbook_url"] = rule.runbook;
  return finding;
}

std::set<std::string> RuleAxes(const RuleConfig& rule, const RuleInputs& inputs) {
  std::set<std::string> texts;
  for (const AxisPair& axes : inputs.axes) {
    if (rule.axes.empty() || rule.axes == axes.name) texts.insert(AxesText(axes));
  }
  return texts;
}

const WatchedRun* FindWatchedRun(const RuleInputs& inputs, const std::string& name) {
  const auto found = std::ranges::find(inputs.runs, name, &WatchedRun::name);
  return found == inputs.runs.end() ? nullptr : &*found;
}

bool IsWatchedFamily(const RuleInputs& inputs, const std::string& family) {
  return std::ranges::find(inputs.runs, family, &WatchedRun::family) != inputs.runs.end();
}

std::vector<const Checkpoint*> LiveCheckpoints(const WatchedRun& run) {
  std::vector<const Checkpoint*> live;
  for (const Checkpoint& checkpoint : run.checkpoints) {
    if (checkpoint.generation == run.generation) live.push_back(&checkpoint);
  }
  std::ranges::stable_sort(live, {}, &Checkpoint::step);
  return live;
}

AxesNames SplitAxes(const std::string& axes) {
  const std::size_t comma = axes.find(',');
  if (comma == std::string::npos) return {axes, axes};
  return {axes.substr(0, comma), axes.substr(comma + 1)};
}

std::string IntervalText(const std::optional<double>& low, const std::optional<double>& high,
                         std::string (*number)(double)) {
  if (!low || !high) return "unknown";
  const auto bound = [&](double value) {
    if (std::isinf(value)) return std::string(value < 0 ? "-∞" : "∞");
    return number(value);
  };
  return fmt::format("[{}, {}]", bound(*low), bound(*high));
}

std::string SignedText(double value) { return fmt::format("{:.2f}", value); }

void SetValue(Finding& finding, const std::string& name, const std::optional<double>& value) {
  if (value && std::isfinite(*value)) finding.values[name] = *value;
}

}  // namespace couplingd
