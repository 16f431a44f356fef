#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <span>

#include "alerts/rule_kinds.h"
#include "base/units.h"

namespace couplingd {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Range {
  double low, high;
};

Range RangeOf(Phase phase, const PhaseBounds& bounds) {
  switch (phase) {
    case Phase::kTax:
      return {-kInfinity, bounds.tax};
    case Phase::kBonus:
      return {bounds.bonus, kInfinity};
    default:
      return {bounds.tax, bounds.bonus};
  }
}

std::optional<double> ProbabilityOf(Phase phase, const CouplingEstimate& estimate) {
  switch (phase) {
    case Phase::kTax:
      return estimate.p_tax;
    case Phase::kBonus:
      return estimate.p_bonus;
    default:
      break;
  }
  if (!estimate.p_tax || !estimate.p_bonus) return std::nullopt;
  return 1 - *estimate.p_tax - *estimate.p_bonus;
}

bool IsIn(Phase phase, const CouplingEstimate& estimate, double probability) {
  if (!estimate.gamma || estimate.phase != phase) return false;
  // Without replicates the interval alone was made to lie in the phase; its level stands in.
  return ProbabilityOf(phase, estimate).value_or(estimate.level) >= probability;
}

bool IsOutside(Phase phase, const CouplingEstimate& estimate, const PhaseBounds& bounds,
               double probability) {
  if (!estimate.gamma) return false;
  if (estimate.phase != Phase::kUndetermined && estimate.phase != phase) return true;
  if (const auto p = ProbabilityOf(phase, estimate); p && *p <= 1 - probability) return true;
  const Range range = RangeOf(phase, bounds);
  return (estimate.low && *estimate.low > range.high) ||
         (estimate.high && *estimate.high < range.low);
}

std::string PhraseOf(Phase phase, const AxesNames& axes) {
  const char* pattern = phase == Phase::kTax     ? "{1} falls as {0} improves (tax phase)"
                        : phase == Phase::kBonus ? "{1} rises with {0} (bonus phase)"
                                                 : "{1} no longer moves with {0} (transition)";
  return fmt::format(fmt::runtime(pattern), axes.reasoning, axes.truthfulness);
}

std::string PlaceOf(const CouplingEstimate& estimate) {
  if (estimate.over == CouplingOver::kScale) {
    return fmt::format("at {} parameters", FormatCount(estimate.at));
  }
  const std::string step = fmt::format("at step {:.0f}", estimate.at);
  return estimate.tokens ? fmt::format("{} ({} tokens)", step, FormatCount(*estimate.tokens))
                         : step;
}

std::string NumbersOf(const CouplingEstimate& estimate) {
  return fmt::format("γ = {} {}, {:g} % interval {}", SignedText(*estimate.gamma),
                     PlaceOf(estimate), estimate.level * 100,
                     IntervalText(estimate.low, estimate.high, SignedText));
}

std::string Describe(Phase phase, const CouplingEstimate& estimate, int hold) {
  std::string text =
      fmt::format("{} ({}, {} {}).", NumbersOf(estimate), estimate.method, estimate.n,
                  estimate.over == CouplingOver::kSteps ? "checkpoints" : "sizes");
  if (const std::optional<double> p = ProbabilityOf(phase, estimate)) {
    text += fmt::format(" {:.1f} % of bootstrap replicates lie in the {} phase.", *p * 100,
                        ToString(phase));
  }
  if (hold > 1) text += fmt::format(" It has held for {} estimates in a row.", hold);
  return text;
}

using Newest = std::span<const CouplingEstimate* const>;

std::optional<Finding> Judge(const RuleConfig& rule, Phase phase, const RuleInputs& inputs,
                             Newest newest) {
  const bool holds = std::ranges::all_of(
      newest, [&](const auto* estimate) { return IsIn(phase, *estimate, rule.probability); });
  const bool excluded = std::ranges::all_of(newest, [&](const auto* estimate) {
    return IsOutside(phase, *estimate, inputs.bounds, rule.probability);
  });
  if (!holds && !excluded) return std::nullopt;

  const CouplingEstimate& last = *newest.back();
  const std::string over(ToString(last.over));
  const std::string& name = last.over == CouplingOver::kSteps ? last.run : last.family;
  Finding finding = NewFinding(rule, name, fmt::format("{},{}", last.axes, over), holds);
  if (!last.run.empty()) finding.labels["run"] = last.run;
  finding.labels.insert({{"family", last.family},
                         {"axes", last.axes},
                         {"over", over},
                         {"phase", std::string(ToString(phase))}});
  SetValue(finding, "gamma", last.gamma);
  SetValue(finding, "low", last.low);
  SetValue(finding, "high", last.high);
  SetValue(finding, "level", last.level);
  SetValue(finding, "n", last.n);
  SetValue(finding, last.over == CouplingOver::kSteps ? "step" : "parameters", last.at);
  SetValue(finding, "tokens", last.tokens);
  SetValue(finding, "probability", ProbabilityOf(phase, last));
  if (excluded) {
    finding.summary = fmt::format("The {} phase was left: {} ({}).", ToString(phase),
                                  NumbersOf(last), ToString(last.phase));
    return finding;
  }
  finding.summary = fmt::format("{}: {}, γ = {}", name, PhraseOf(phase, SplitAxes(last.axes)),
                                SignedText(*last.gamma));
  finding.description = Describe(phase, last, rule.hold);
  if (inputs.advise_coupling) finding.interventions = inputs.advise_coupling(last);
  return finding;
}

}  // namespace

std::vector<Finding> EvaluatePhase(const RuleConfig& rule, const RuleInputs& inputs) {
  const std::optional<Phase> phase = ParsePhase(rule.phase);
  if (!phase || *phase == Phase::kUndetermined) return {};
  const std::set<std::string> axes = RuleAxes(rule, inputs);
  std::map<std::tuple<CouplingOver, std::string, std::string>, std::vector<const CouplingEstimate*>>
      series;
  for (const CouplingEstimate& estimate : inputs.couplings) {
    if (!axes.contains(estimate.axes)) continue;
    const bool over_steps = estimate.over == CouplingOver::kSteps;
    const WatchedRun* run = over_steps ? FindWatchedRun(inputs, estimate.run) : nullptr;
    const bool watched = over_steps ? run && run->generation == estimate.generation
                                    : IsWatchedFamily(inputs, estimate.family);
    if (!watched) continue;
    series[{estimate.over, over_steps ? estimate.run : estimate.family, estimate.axes}].push_back(
        &estimate);
  }
  const std::size_t hold = static_cast<std::size_t>(std::max(rule.hold, 1));
  std::vector<Finding> findings;
  for (auto& [key, estimates] : series) {
    if (estimates.size() < hold) continue;
    std::ranges::stable_sort(estimates, {}, &CouplingEstimate::at);
    std::optional<Finding> finding = Judge(rule, *phase, inputs, Newest(estimates).last(hold));
    if (finding) findings.push_back(std::move(*finding));
  }
  return findings;
}

}  // namespace couplingd
