#include <fmt/format.h>

#include "alerts/rule_kinds.h"
#include "base/files.h"

namespace couplingd {
namespace {

// Why a checkpoint is no longer a reason for alarm; nullopt where it still is, or where that is not
// known.
std::optional<std::string> WhyOver(const Checkpoint& checkpoint, const WatchedRun& run,
                                   const Checkpoint* last_good) {
  if (checkpoint.generation != run.generation) return "The run went back to an earlier step.";
  if (checkpoint.state == CheckpointState::kEvaluated) return "It was evaluated.";
  if (checkpoint.state == CheckpointState::kSkipped)
    return "It was set aside: " + checkpoint.reason;
  if (last_good && last_good->step > checkpoint.step) {
    return fmt::format("A later checkpoint, step {}, was evaluated.", last_good->step);
  }
  return std::nullopt;
}

// The worker says so in words, which are kept with the checkpoint.
bool IsNan(const Checkpoint& checkpoint) {
  return checkpoint.reason.find("NaN") != std::string::npos;
}

std::optional<Finding> Judge(const RuleConfig& rule, const WatchedRun& run,
                             const Checkpoint& checkpoint, const Checkpoint* last_good) {
  const std::optional<std::string> over = WhyOver(checkpoint, run, last_good);
  if (!over && checkpoint.state != CheckpointState::kRefused) return std::nullopt;
  Finding finding = NewFinding(rule, run.name, checkpoint.path, !over);
  finding.labels["run"] = run.name;
  finding.labels["family"] = run.family;
  finding.labels["checkpoint"] = BaseName(checkpoint.path);
  SetValue(finding, "step", static_cast<double>(checkpoint.step));
  if (over) {
    finding.summary = *over;
    return finding;
  }
  const bool is_nan = IsNan(checkpoint);
  finding.labels["cause"] = is_nan ? "nan" : "unusable";
  if (is_nan) {
    finding.severity = rule.nan_severity;
    finding.labels["severity"] = ToString(finding.severity);
  }
  finding.summary = fmt::format("{}: the checkpoint of step {} {}", run.name, checkpoint.step,
                                is_nan ? "holds or computes NaN" : "cannot be used");
  finding.description =
      fmt::format("{}: {}", checkpoint.path,
                  checkpoint.reason.empty() ? "no reason was recorded." : checkpoint.reason);
  finding.interventions = {
      {"investigate",
       is_nan
           ? "The training has diverged: stop it, and go back to the last good checkpoint before "
             "the trainer removes it."
           : "Look at the checkpoint before the trainer removes the last good one; restarting from "
             "this one may fail.",
       last_good
           ? fmt::format("The last checkpoint that could be evaluated is step {}.", last_good->step)
           : std::string("No checkpoint of this run has been evaluated yet.")}};
  return finding;
}

}  // namespace

std::vector<Finding> EvaluateBadCheckpoint(const RuleConfig& rule, const RuleInputs& inputs) {
  std::vector<Finding> findings;
  for (const WatchedRun& run : inputs.runs) {
    const Checkpoint* last_good = nullptr;
    for (const Checkpoint* checkpoint : LiveCheckpoints(run)) {
      if (checkpoint->state == CheckpointState::kEvaluated) last_good = checkpoint;
    }
    for (const Checkpoint& checkpoint : run.checkpoints) {
      std::optional<Finding> finding = Judge(rule, run, checkpoint, last_good);
      if (finding) findings.push_back(std::move(*finding));
    }
  }
  return findings;
}

}  // namespace couplingd
