#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "alerts/false_alarms.h"
#include "alerts/rule_kinds.h"
#include "base/units.h"

namespace couplingd {
namespace {

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

// P-value of the hypothesis that the run is not in the phase.
double AgainstNotIn(Phase phase, const PhaseEvidence& evidence) {
  switch (phase) {
    case Phase::kTax:
      return std::max(evidence.reasoning_rises, evidence.below_tax);
    case Phase::kBonus:
      return std::max(evidence.reasoning_rises, evidence.above_bonus);
    default:
      return std::max({evidence.reasoning_rises, evidence.above_tax, evidence.below_bonus});
  }
}

// P-value of the hypothesis that the run is in the phase.
double AgainstIn(Phase phase, const PhaseEvidence& evidence) {
  switch (phase) {
    case Phase::kTax:
      return evidence.above_tax;
    case Phase::kBonus:
      return evidence.below_bonus;
    default:
      return std::min(1.0, 2 * std::min(evidence.below_tax, evidence.above_bonus));
  }
}

enum class Stand { kIn, kOut, kOpen };

// What the estimates of one run or family are judged by.
struct Court {
  Phase phase = Phase::kTax;
  PhaseBounds bounds;
  double p_value = 0;  // evidence has to be below it

  Stand Judge(const CouplingEstimate& estimate) const {
    if (!estimate.gamma || !estimate.evidence) return Stand::kOpen;
    if (AgainstNotIn(phase, *estimate.evidence) <= p_value) return Stand::kIn;
    if (AgainstIn(phase, *estimate.evidence) <= p_value) return Stand::kOut;
    return Stand::kOpen;
  }
};

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

// "1 in 7.6k", in two digits.
std::string OddsText(double p_value) {
  if (p_value < 1e-12) return fmt::format("less than 1 in {}", FormatCount(1e12));
  const double unit = std::pow(10, std::floor(std::log10(1 / p_value)) - 1);
  return fmt::format("1 in {}", FormatCount(std::round(1 / p_value / unit) * unit));
}

std::string NotInText(Phase phase, const PhaseBounds& bounds) {
  switch (phase) {
    case Phase::kTax:
      return fmt::format("not below {:g}", bounds.tax);
    case Phase::kBonus:
      return fmt::format("not above {:g}", bounds.bonus);
    default:
      return fmt::format("not between {:g} and {:g}", bounds.tax, bounds.bonus);
  }
}

std::string InText(Phase phase, const PhaseBounds& bounds) {
  switch (phase) {
    case Phase::kTax:
      return fmt::format("still below {:g}", bounds.tax);
    case Phase::kBonus:
      return fmt::format("still above {:g}", bounds.bonus);
    default:
      return fmt::format("still between {:g} and {:g}", bounds.tax, bounds.bonus);
  }
}

std::string EvidenceText(const RuleConfig& rule, const Court& court, double p_value,
                         const std::string& otherwise, CouplingOver over) {
  const bool over_steps = over == CouplingOver::kSteps;
  return fmt::format(
      "Were γ {}, noise alone would look like this at {} {}; the rule asks for {} "
      "here, which keeps false alarms to {:g} % per {} {}.",
      otherwise, OddsText(p_value), over_steps ? "checkpoints" : "looks", OddsText(court.p_value),
      rule.false_alarm_rate * 100, kLooksPerRate,
      over_steps ? "checkpoints of a run" : "looks at a family");
}

std::string Describe(const RuleConfig& rule, const Court& court, const CouplingEstimate& estimate) {
  const bool over_steps = estimate.over == CouplingOver::kSteps;
  std::string text = fmt::format("{} ({}, {} {}).", NumbersOf(estimate), estimate.method,
                                 estimate.n, over_steps ? "checkpoints" : "sizes");
  text += " " + EvidenceText(rule, court, AgainstNotIn(court.phase, *estimate.evidence),
                             NotInText(court.phase, court.bounds), estimate.over);
  if (over_steps && rule.hold > 1) {
    text += fmt::format(" It has held for {} estimates in a row.", rule.hold);
  }
  return text;
}

std::string WhyLeft(const RuleConfig& rule, const Court& court, const CouplingEstimate& estimate) {
  return fmt::format("The {} phase was left: {} ({}). {}", ToString(court.phase),
                     NumbersOf(estimate), ToString(estimate.phase),
                     EvidenceText(rule, court, AgainstIn(court.phase, *estimate.evidence),
                                  InText(court.phase, court.bounds), estimate.over));
}

using Estimates = std::span<const CouplingEstimate* const>;

// Estimates that stand, or more where some were replaced: a checkpoint that was evaluated again, a
// family at more tokens.
std::int64_t LooksAt(const RuleInputs& inputs, Estimates series) {
  const CouplingEstimate& of = *series.back();
  std::int64_t looks = std::ranges::count_if(
      series, [](const CouplingEstimate* estimate) { return estimate->evidence.has_value(); });
  for (const LookCount& count : inputs.looks) {
    const bool is_it = count.over == of.over && count.run == of.run && count.axes == of.axes &&
                       count.generation == of.generation &&
                       (!of.run.empty() || count.family == of.family);
    if (is_it) looks = std::max(looks, count.looks);
  }
  return looks;
}

Court CourtFor(const RuleConfig& rule, Phase phase, const RuleInputs& inputs, Estimates series) {
  const std::int64_t looks = LooksAt(inputs, series);
  Court court{.phase = phase, .bounds = inputs.bounds};
  if (looks > 0) {
    court.p_value = LevelBeyond(LookLevel(rule.false_alarm_rate, looks), rule.margin);
  }
  return court;
}

// Over scale the newest estimate stands alone: those before it are of neighbouring sizes.
std::size_t Held(const RuleConfig& rule, CouplingOver over) {
  return over == CouplingOver::kSteps ? static_cast<std::size_t>(RuleHold(rule)) : 1;
}

// `series` is in order and holds at least as many estimates as have to agree.
std::optional<Finding> Judge(const RuleConfig& rule, Phase phase, const RuleInputs& inputs,
                             Estimates series) {
  const Court court = CourtFor(rule, phase, inputs, series);
  const Estimates newest = series.last(Held(rule, series.back()->over));
  const CouplingEstimate& last = *newest.back();
  const Stand stand = court.Judge(last);
  const bool agree = std::ranges::all_of(
      newest, [&](const CouplingEstimate* estimate) { return court.Judge(*estimate) == stand; });
  if (stand == Stand::kOpen || !agree) return std::nullopt;

  const bool holds = stand == Stand::kIn, over_steps = last.over == CouplingOver::kSteps;
  const std::string over(ToString(last.over));
  const std::string& name = over_steps ? last.run : last.family;
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
  SetValue(finding, over_steps ? "step" : "parameters", last.at);
  SetValue(finding, "tokens", last.tokens);
  SetValue(finding, "probability", ProbabilityOf(phase, last));
  SetValue(finding, "tax_bound", inputs.bounds.tax);
  SetValue(finding, "bonus_bound", inputs.bounds.bonus);
  SetValue(finding, "p_value",
           holds ? AgainstNotIn(phase, *last.evidence) : AgainstIn(phase, *last.evidence));
  SetValue(finding, "p_value_needed", court.p_value);
  if (!holds) {
    finding.summary = WhyLeft(rule, court, last);
    return finding;
  }
  finding.summary = fmt::format("{}: {}, γ = {}", name, PhraseOf(phase, SplitAxes(last.axes)),
                                SignedText(*last.gamma));
  finding.description = Describe(rule, court, last);
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
  std::vector<Finding> findings;
  for (auto& [key, estimates] : series) {
    if (estimates.size() < Held(rule, std::get<CouplingOver>(key))) continue;
    std::ranges::stable_sort(estimates, {}, &CouplingEstimate::at);
    std::optional<Finding> finding = Judge(rule, *phase, inputs, estimates);
    if (finding) findings.push_back(std::move(*finding));
  }
  return findings;
}

}  // namespace couplingd
