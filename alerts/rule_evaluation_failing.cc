#include <fmt/format.h>

#include <algorithm>

#include "alerts/rule_kinds.h"

namespace couplingd {
namespace {

std::optional<Finding> Judge(const RuleConfig& rule, const WatchedRun& run) {
  std::vector<const Checkpoint*> finished = LiveCheckpoints(run);
  std::erase_if(finished, [](const Checkpoint* checkpoint) {
    return checkpoint->state != CheckpointState::kEvaluated &&
           checkpoint->state != CheckpointState::kFailed;
  });
  if (finished.empty()) return std::nullopt;
  const Checkpoint& last = *finished.back();
  const auto good = std::ranges::find(finished.rbegin(), finished.rend(),
                                      CheckpointState::kEvaluated, &Checkpoint::state);
  const auto failures = good - finished.rbegin();
  if (failures != 0 && failures < rule.failures) return std::nullopt;

  Finding finding = NewFinding(rule, run.name, "evaluation", failures != 0);
  finding.labels["run"] = run.name;
  finding.labels["family"] = run.family;
  SetValue(finding, "failures", static_cast<double>(failures));
  SetValue(finding, "step", static_cast<double>(last.step));
  if (failures == 0) {
    finding.summary = fmt::format("Step {} was evaluated.", last.step);
    return finding;
  }
  finding.summary =
      failures == 1
          ? fmt::format("{}: the evaluation of step {} failed", run.name, last.step)
          : fmt::format("{}: the evaluation of the last {} checkpoints failed", run.name, failures);
  finding.description =
      fmt::format("Step {} was put aside after {} attempts: {}", last.step, last.attempts,
                  last.reason.empty() ? "no reason was recorded." : last.reason);
  finding.interventions = {
      {"investigate",
       "Remove the cause, then put the checkpoints back into the queue with couplingctl retry.",
       good == finished.rend()
           ? "No checkpoint of this run was ever evaluated, so the cause may lie in the setup."
           : fmt::format("Step {} of the same run was evaluated, so something changed since.",
                         (*good)->step)}};
  return finding;
}

}  // namespace

std::vector<Finding> EvaluateEvaluationFailing(const RuleConfig& rule, const RuleInputs& inputs) {
  std::vector<Finding> findings;
  for (const WatchedRun& run : inputs.runs) {
    std::optional<Finding> finding = Judge(rule, run);
    if (finding) findings.push_back(std::move(*finding));
  }
  return findings;
}

}  // namespace couplingd
