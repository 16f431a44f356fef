#include <fmt/format.h>

#include <algorithm>

#include "alerts/rule_kinds.h"
#include "base/units.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortest{600000};
constexpr int kEvaluationsUntilLate = 3;

struct Waiting {
  int now = 0;     // checkpoints that wait or are being evaluated
  int before = 0;  // that did so at the window's begin
  const WatchedRun* run = nullptr;
  const Checkpoint* oldest = nullptr;  // queued
};

bool IsUnderWay(const Checkpoint& checkpoint) {
  return checkpoint.state == CheckpointState::kQueued ||
         checkpoint.state == CheckpointState::kEvaluating;
}

// Whether it was on its way to an evaluation then: found already, and settled only later.
bool WasUnderWay(const Checkpoint& checkpoint, UnixMillis then) {
  if (checkpoint.discovered_at > then) return false;
  if (IsUnderWay(checkpoint)) return true;
  const bool was_evaluated = checkpoint.state == CheckpointState::kEvaluated ||
                             checkpoint.state == CheckpointState::kFailed ||
                             checkpoint.state == CheckpointState::kRefused ||
                             checkpoint.state == CheckpointState::kVanished;
  return was_evaluated && checkpoint.updated_at > then;
}

Waiting LookAtQueue(const RuleInputs& inputs, UnixMillis window_begin) {
  Waiting waiting;
  for (const WatchedRun& run : inputs.runs) {
    for (const Checkpoint& checkpoint : run.checkpoints) {
      waiting.now += IsUnderWay(checkpoint);
      waiting.before += WasUnderWay(checkpoint, window_begin);
      if (checkpoint.state != CheckpointState::kQueued) continue;
      if (!waiting.oldest || checkpoint.updated_at < waiting.oldest->updated_at) {
        waiting.oldest = &checkpoint;
        waiting.run = &run;
      }
    }
  }
  return waiting;
}

struct Limit {
  milliseconds after;
  std::string source;
};

Limit LimitOf(const RuleConfig& rule, const RuleInputs& inputs) {
  if (rule.after.count() > 0) return {rule.after, "configured"};
  const auto evaluation = inputs.scores.evaluation_time;
  if (evaluation && kEvaluationsUntilLate * *evaluation > kShortest) {
    return {kEvaluationsUntilLate * *evaluation,
            fmt::format("three times the median evaluation, {}",
                        FormatDuration(std::chrono::floor<std::chrono::seconds>(*evaluation)))};
  }
  return {kShortest, "the least that is asked for"};
}

std::string Rounded(milliseconds span) {
  return FormatDuration(std::chrono::floor<std::chrono::seconds>(span));
}

}  // namespace

std::vector<Finding> EvaluateQueueGrowing(const RuleConfig& rule, const RuleInputs& inputs) {
  const Limit limit = LimitOf(rule, inputs);
  const Waiting queue = LookAtQueue(inputs, inputs.now - limit.after.count());
  const milliseconds waited(queue.oldest ? inputs.now - queue.oldest->updated_at : 0);
  const bool late = waited > limit.after;
  const bool growing = late && queue.now > queue.before;
  if (late && !growing) return {};
  Finding finding = NewFinding(rule, "", "queue", growing);
  SetValue(finding, "waiting", queue.now);
  SetValue(finding, "waiting_before", queue.before);
  SetValue(finding, "waited_seconds", static_cast<double>(waited.count()) / 1000);
  SetValue(finding, "limit_seconds", static_cast<double>(limit.after.count()) / 1000);
  if (!growing) {
    finding.summary =
        queue.oldest ? fmt::format("No checkpoint has waited longer than {}.", Rounded(limit.after))
                     : std::string("No checkpoint waits.");
    return {finding};
  }
  finding.summary = fmt::format("{} checkpoints wait for their evaluation, the oldest for {}",
                                queue.now, Rounded(waited));
  finding.description = fmt::format(
      "Step {} of {} was queued at {}. {} ago {} waited, now {}: they come faster than they are "
      "evaluated. The limit is {} ({}).",
      queue.oldest->step, queue.run->name, FormatTime(queue.oldest->updated_at),
      Rounded(limit.after), queue.before, queue.now, Rounded(limit.after), limit.source);
  finding.interventions = {
      {"investigate",
       "Evaluate fewer checkpoints (schedule: log, or every: n), fewer items "
       "(evaluation.budget), or give it more (executor.concurrency, a GPU); look whether an "
       "evaluation hangs with couplingctl status.",
       "A queue that grows never catches up: alerts come ever later."}};
  return {finding};
}

}  // namespace couplingd
