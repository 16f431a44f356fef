#include <fmt/format.h>
#include <fmt/ranges.h>

#include "alerts/rule_kinds.h"

namespace couplingd {
namespace {

std::string NumbersOf(const FamilyDimension& seen) {
  return fmt::format(
      "d_eff = {:.3f} of {} scores, {:g} % interval [{:.3f}, {:.3f}] ({} checkpoints "
      "of {} runs)",
      seen.value, seen.metrics.size(), seen.level * 100, seen.low, seen.high, seen.checkpoints,
      seen.runs);
}

std::optional<Finding> Judge(const RuleConfig& rule, const FamilyDimension& seen) {
  const bool collapsed = seen.high < rule.threshold;
  if (!collapsed && seen.low <= rule.threshold) return std::nullopt;
  Finding finding = NewFinding(rule, seen.family, DimensionSubject(seen.metrics), collapsed);
  finding.labels["family"] = seen.family;
  SetValue(finding, "value", seen.value);
  SetValue(finding, "low", seen.low);
  SetValue(finding, "high", seen.high);
  SetValue(finding, "level", seen.level);
  SetValue(finding, "threshold", rule.threshold);
  SetValue(finding, "n", seen.checkpoints);
  if (!collapsed) {
    finding.summary = fmt::format("The scores vary in more than {:g} dimensions again: {}.",
                                  rule.threshold, NumbersOf(seen));
    return finding;
  }
  finding.summary = fmt::format("{}: {} scores move as one, d_eff = {:.2f}", seen.family,
                                seen.metrics.size(), seen.value);
  finding.description = fmt::format("{}, wholly below {:g}: {} say no more than one of them.",
                                    NumbersOf(seen), rule.threshold, fmt::join(seen.metrics, ", "));
  finding.interventions = {
      {.kind = "rotate",
       .action = "Add a benchmark that does not rise and fall with the others, or drop those that "
                 "cost most.",
       .reason = NumbersOf(seen) + ".",
       .against = {"over sizes and long stretches of training everything grows together, so that "
                   "a small dimension is no fault of the model"}}};
  return finding;
}

}  // namespace

std::vector<Finding> EvaluateDimensionCollapse(const RuleConfig& rule, const RuleInputs& inputs) {
  const std::vector<std::string> metrics = RuleMetrics(rule, inputs.axes);
  std::vector<Finding> findings;
  for (const FamilyDimension& seen : inputs.scores.dimensions) {
    if (seen.metrics != metrics || !IsWatchedFamily(inputs, seen.family)) continue;
    std::optional<Finding> finding = Judge(rule, seen);
    if (finding) findings.push_back(std::move(*finding));
  }
  return findings;
}

}  // namespace couplingd
