#include <fmt/format.h>

#include "alerts/rule_kinds.h"
#include "base/units.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{300000};

std::string Rounded(milliseconds span) {
  return FormatDuration(std::chrono::floor<std::chrono::seconds>(span));
}

std::string LastText(const SinkHealth& sink) {
  return sink.last_delivered_at == 0
             ? std::string("It has never taken an alert.")
             : fmt::format("The last alert it took was at {}.", FormatTime(sink.last_delivered_at));
}

std::optional<Finding> Judge(const RuleConfig& rule, const SinkHealth& sink, UnixMillis now) {
  const milliseconds patience = rule.after.count() > 0 ? rule.after : kPatience;
  const milliseconds waited(sink.pending > 0 ? now - sink.oldest_pending_at : 0);
  const bool late = waited > patience;
  const bool broken = late || sink.dead > 0;
  Finding finding = NewFinding(rule, "", sink.name, broken);
  finding.labels["sink"] = sink.name;
  SetValue(finding, "waiting", sink.pending);
  SetValue(finding, "waited_seconds", static_cast<double>(waited.count()) / 1000);
  SetValue(finding, "failures", sink.dead);
  if (!broken) {
    finding.summary =
        sink.last_delivered_at == 0
            ? std::string("Nothing waits for it.")
            : fmt::format("It took an alert at {}, and nothing has waited longer than {}.",
                          FormatTime(sink.last_delivered_at), Rounded(patience));
    return finding;
  }
  finding.labels["cause"] = sink.dead > 0 ? "refused" : "late";
  finding.summary = sink.dead > 0
                        ? fmt::format("sink {}: {} alert{} could not be delivered", sink.name,
                                      sink.dead, sink.dead == 1 ? "" : "s")
                        : fmt::format("sink {}: {} alert{} for up to {}", sink.name, sink.pending,
                                      sink.pending == 1 ? " waits" : "s wait", Rounded(waited));
  finding.description =
      fmt::format("{} given up, {} waiting. The last answer: {}. {}", sink.dead, sink.pending,
                  sink.last_outcome.empty() ? "none" : sink.last_outcome, LastText(sink));
  finding.interventions = {
      {"investigate",
       fmt::format("Look at couplingctl deliveries and try couplingctl alerts test; once the cause "
                   "is gone, what was given up can be sent again to {}.",
                   sink.name),
       "Whoever reads this sink alone hears nothing of what is firing."}};
  return finding;
}

}  // namespace

std::vector<Finding> EvaluateSinkBroken(const RuleConfig& rule, const RuleInputs& inputs) {
  std::vector<Finding> findings;
  for (const SinkHealth& sink : inputs.sinks) {
    std::optional<Finding> finding = Judge(rule, sink, inputs.now);
    if (finding) findings.push_back(std::move(*finding));
  }
  return findings;
}

}  // namespace couplingd
