#include <fmt/format.h>

#include <algorithm>

#include "alerts/rule_kinds.h"
#include "base/units.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;

// Checkpoints found closer together than this were found in one look at the directory, and say
// nothing of the pace.
constexpr milliseconds kOneLook{2000};
constexpr milliseconds kShortestLearned{60000};
constexpr std::size_t kNewest = 32;
constexpr std::size_t kFewestIntervals = 4;
constexpr int kMediansUntilOverdue = 3;

// When checkpoints arrived, in order; those found in one look count once.
std::vector<UnixMillis> Arrivals(const WatchedRun& run) {
  std::vector<UnixMillis> times;
  for (const Checkpoint* checkpoint : LiveCheckpoints(run)) {
    times.push_back(checkpoint->discovered_at);
  }
  std::ranges::sort(times);
  std::vector<UnixMillis> arrivals;
  for (const UnixMillis time : times) {
    if (!arrivals.empty() && time - arrivals.back() < kOneLook.count()) {
      arrivals.back() = time;
    } else {
      arrivals.push_back(time);
    }
  }
  return arrivals;
}

struct Limit {
  milliseconds after;
  std::string source;
};

std::optional<Limit> LimitOf(const WatchedRun& run, const std::vector<UnixMillis>& arrivals) {
  if (run.overdue_after.count() > 0) return Limit{run.overdue_after, "configured"};
  std::vector<UnixMillis> intervals;
  const std::size_t first = arrivals.size() > kNewest ? arrivals.size() - kNewest : 0;
  for (std::size_t i = first + 1; i < arrivals.size(); ++i) {
    intervals.push_back(arrivals[i] - arrivals[i - 1]);
  }
  if (intervals.size() < kFewestIntervals) return std::nullopt;
  const auto middle = intervals.begin() + static_cast<std::ptrdiff_t>(intervals.size() / 2);
  std::ranges::nth_element(intervals, middle);
  return Limit{std::max(milliseconds(kMediansUntilOverdue * *middle), kShortestLearned),
               fmt::format("three times the median of the last {} intervals, {}", intervals.size(),
                           FormatDuration(milliseconds(*middle)))};
}

std::string Rounded(milliseconds span) {
  return FormatDuration(std::chrono::floor<std::chrono::seconds>(span));
}

std::optional<Finding> Judge(const RuleConfig& rule, const WatchedRun& run, UnixMillis now) {
  const std::vector<UnixMillis> arrivals = Arrivals(run);
  if (arrivals.empty()) return std::nullopt;
  Finding finding = NewFinding(rule, run.name, "checkpoints", false);
  finding.labels["run"] = run.name;
  finding.labels["family"] = run.family;
  if (!run.alive) {
    finding.summary = "The run has ended; no checkpoint is due.";
    return finding;
  }
  const std::optional<Limit> limit = LimitOf(run, arrivals);
  if (!limit) return std::nullopt;
  const milliseconds waited(now - arrivals.back());
  const std::int64_t last_step = LiveCheckpoints(run).back()->step;
  SetValue(finding, "waited_seconds", static_cast<double>(waited.count()) / 1000);
  SetValue(finding, "limit_seconds", static_cast<double>(limit->after.count()) / 1000);
  SetValue(finding, "step", static_cast<double>(last_step));
  if (waited <= limit->after) {
    finding.summary = fmt::format("Step {} has arrived.", last_step);
    return finding;
  }
  finding.active = true;
  finding.summary = fmt::format("{}: no checkpoint for {}", run.name, Rounded(waited));
  finding.description =
      fmt::format("The last one, step {}, was seen at {}. The next was due within {} ({}).",
                  last_step, FormatTime(arrivals.back()), Rounded(limit->after), limit->source);
  finding.interventions = {
      {"investigate",
       "Look whether the training job still runs and whether its disk is full; if it ended on "
       "purpose, remove the run from the configuration or raise its overdue_after.",
       "A run that keeps its pace would have written a checkpoint by now."}};
  return finding;
}

}  // namespace

std::vector<Finding> EvaluateCheckpointOverdue(const RuleConfig& rule, const RuleInputs& inputs) {
  std::vector<Finding> findings;
  for (const WatchedRun& run : inputs.runs) {
    std::optional<Finding> finding = Judge(rule, run, inputs.now);
    if (finding) findings.push_back(std::move(*finding));
  }
  return findings;
}

}  // namespace couplingd
