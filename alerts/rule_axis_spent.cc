#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <span>

#include "alerts/rule_kinds.h"
#include "base/units.h"

namespace couplingd {
namespace {

constexpr double kLevel = 0.95;

enum class Stand { kClear, kNearChance, kAtCeiling, kOpen };

// Of one axis over the newest `hold` checkpoints.
struct Axis {
  const AxisPoints* seen = nullptr;
  std::span<const ScorePoint> newest;
  Stand stand = Stand::kOpen;
};

// z of `level` for `looks` checkpoints together (Boole).
double Critical(std::size_t looks) {
  const boost::math::normal normal;
  return boost::math::quantile(
      boost::math::complement(normal, (1 - kLevel) / 2 / static_cast<double>(looks)));
}

Axis StandOf(const AxisPoints& seen, std::size_t hold, double ceiling) {
  Axis axis{.seen = &seen};
  if (seen.points.size() < hold) return axis;
  axis.newest = std::span(seen.points).last(hold);
  const double critical = Critical(hold);
  const auto all = [&](const auto& holds) { return std::ranges::all_of(axis.newest, holds); };
  const auto reaches = [&](const ScorePoint& point) {
    return point.value + critical * point.standard_error >= ceiling;
  };
  const auto guesses = [&](const ScorePoint& point) {
    return std::abs(point.value - *seen.chance) <= critical * point.standard_error;
  };
  if (all(reaches)) {
    axis.stand = Stand::kAtCeiling;
  } else if (seen.chance && all(guesses)) {
    axis.stand = Stand::kNearChance;
  } else if (seen.chance && std::ranges::none_of(axis.newest, reaches) &&
             std::ranges::none_of(axis.newest, guesses)) {
    axis.stand = Stand::kClear;
  }
  return axis;
}

std::string PercentText(double value) { return fmt::format("{:.1f} %", 100 * value); }

std::string WhereText(const Axis& axis, double ceiling) {
  if (axis.stand == Stand::kAtCeiling) {
    return fmt::format("its ceiling of {}", PercentText(ceiling));
  }
  return fmt::format("chance, {}", PercentText(*axis.seen->chance));
}

std::string RangeText(const Axis& axis) {
  const auto [least, most] = std::ranges::minmax_element(axis.newest, {}, &ScorePoint::value);
  return fmt::format("{} to {} over steps {} to {}, ± {} each", PercentText(least->value),
                     PercentText(most->value), axis.newest.front().step, axis.newest.back().step,
                     PercentText(axis.newest.back().standard_error));
}

std::vector<Intervention> Rotate(const RuleInputs& inputs, const AxisStanding& standing,
                                 const Axis& axis) {
  std::vector<Intervention> advice;
  if (inputs.advise_axes) advice = inputs.advise_axes(standing);
  std::erase_if(advice, [](const Intervention& one) { return one.kind != "rotate"; });
  if (!advice.empty()) return advice;
  return {
      {.kind = "rotate",
       .action = fmt::format("Replace {} by a benchmark with signal left at this size.",
                             axis.seen->metric),
       .reason = RangeText(axis) + ".",
       .preconditions = {"the new benchmark is scored on the same checkpoints"},
       .against = {"another pair answers another question: γ of two pairs is never one series"}}};
}

std::optional<Finding> Judge(const RuleConfig& rule, const RuleInputs& inputs,
                             const AxisStanding& standing, const Axis& axis, const Axis& other) {
  const bool spent = axis.stand == Stand::kAtCeiling ||
                     (axis.stand == Stand::kNearChance && other.stand != Stand::kNearChance &&
                      other.stand != Stand::kOpen);
  if (!spent && axis.stand != Stand::kClear) return std::nullopt;
  const ScorePoint& last = axis.newest.back();
  Finding finding =
      NewFinding(rule, standing.run, fmt::format("{},{}", standing.axes, axis.seen->metric), spent);
  finding.labels.insert({{"run", standing.run},
                         {"family", standing.family},
                         {"axes", standing.axes},
                         {"metric", axis.seen->metric}});
  SetValue(finding, "value", last.value);
  SetValue(finding, "standard_error", last.standard_error);
  SetValue(finding, "chance", axis.seen->chance);
  SetValue(finding, "ceiling", rule.ceiling);
  SetValue(finding, "step", static_cast<double>(last.step));
  SetValue(finding, "tokens", last.tokens);
  SetValue(finding, "n", static_cast<double>(axis.newest.size()));
  if (!spent) {
    finding.summary = fmt::format("{} is clear of chance and of its ceiling: {}.",
                                  axis.seen->metric, RangeText(axis));
    return finding;
  }
  finding.labels["cause"] = axis.stand == Stand::kAtCeiling ? "ceiling" : "chance";
  finding.summary = fmt::format("{}: {} is within noise of {}", standing.run, axis.seen->metric,
                                WhereText(axis, rule.ceiling));
  finding.description = fmt::format(
      "{}: every one of the last {} checkpoints is within noise of {} ({:g} %, all of them "
      "together). No coupling can be claimed from an axis without signal.{}",
      RangeText(axis), axis.newest.size(), WhereText(axis, rule.ceiling), kLevel * 100,
      axis.stand == Stand::kNearChance
          ? fmt::format(" The other axis has learned: {}.", RangeText(other))
          : "");
  finding.interventions = Rotate(inputs, standing, axis);
  return finding;
}

}  // namespace

std::vector<Finding> EvaluateAxisSpent(const RuleConfig& rule, const RuleInputs& inputs) {
  const std::set<std::string> axes = RuleAxes(rule, inputs);
  const auto hold = static_cast<std::size_t>(RuleHold(rule));
  std::vector<Finding> findings;
  for (const AxisStanding& standing : inputs.scores.standings) {
    const WatchedRun* run = FindWatchedRun(inputs, standing.run);
    if (!run || run->generation != standing.generation || !axes.contains(standing.axes)) continue;
    const Axis reasoning = StandOf(standing.reasoning, hold, rule.ceiling);
    const Axis truthfulness = StandOf(standing.truthfulness, hold, rule.ceiling);
    for (const auto& [axis, other] :
         {std::pair(reasoning, truthfulness), std::pair(truthfulness, reasoning)}) {
      std::optional<Finding> finding = Judge(rule, inputs, standing, axis, other);
      if (finding) findings.push_back(std::move(*finding));
    }
  }
  return findings;
}

}  // namespace couplingd
