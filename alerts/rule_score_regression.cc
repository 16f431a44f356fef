#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <map>
#include <set>

#include "alerts/false_alarms.h"
#include "alerts/rule_kinds.h"
#include "base/units.h"
#include "records/metric_names.h"

namespace couplingd {
namespace {

constexpr double kRecovered = 0.05;  // one-sided: the drop is surely smaller than min_drop

// P(T ≥ t) with that many degrees of freedom.
double UpperTail(double t, double dof) {
  using boost::math::cdf, boost::math::complement;
  if (std::isinf(t)) return t > 0 ? 0 : 1;
  if (!std::isfinite(dof) || dof > 1e8) return cdf(complement(boost::math::normal(), t));
  return cdf(complement(boost::math::students_t(dof), t));
}

// P-value of the hypothesis that the score is worse by no more than `least`.
double AgainstNoDrop(const ScoreDrop& seen, double least) {
  const double beyond = seen.drop - least;
  if (seen.standard_error > 0) {
    const double p = UpperTail(beyond / seen.standard_error, seen.dof);
    return std::min(1.0, p * seen.candidates);
  }
  return beyond > 0 ? 0 : 1;
}

double LevelAt(const RuleConfig& rule, const ScoreDrop& seen) {
  return LevelBeyond(LookLevel(rule.false_alarm_rate, seen.look), rule.margin);
}

bool HasFallen(const RuleConfig& rule, const ScoreDrop& seen) {
  return AgainstNoDrop(seen, rule.min_drop) <= LevelAt(rule, seen);
}

bool IsBack(const RuleConfig& rule, const ScoreDrop& seen) {
  if (seen.drop <= 0) return true;
  if (!(seen.standard_error > 0)) return seen.drop < rule.min_drop;
  return UpperTail((rule.min_drop - seen.drop) / seen.standard_error, seen.dof) <= kRecovered;
}

std::string Amount(double value, const std::string& metric) {
  return IsFractionMetric(metric.substr(metric.rfind('.') + 1))
             ? fmt::format("{:.1f} %", 100 * value)
             : fmt::format("{:.4g}", value);
}

std::string Points(double value, const std::string& metric) {
  return IsFractionMetric(metric.substr(metric.rfind('.') + 1))
             ? fmt::format("{:.1f} points", 100 * value)
             : fmt::format("{:.3g}", value);
}

std::string StepsOf(const ScoreDrop& seen) {
  return seen.best_from == seen.best_to
             ? fmt::format("step {}", seen.best_to)
             : fmt::format("steps {} to {}", seen.best_from, seen.best_to);
}

std::string Describe(const RuleConfig& rule, const ScoreDrop& seen) {
  const std::string noise = seen.items > 0
                                ? fmt::format("the same {} items and checkpoint noise", seen.items)
                                : "standard errors and checkpoint noise; the items are not stored, "
                                  "so that what they have in common counts as noise";
  const double p = AgainstNoDrop(seen, rule.min_drop), level = LevelAt(rule, seen);
  const std::string looks = RuleHold(rule) > 1
                                ? fmt::format("each of {} checkpoints in a row", RuleHold(rule))
                                : std::string("this checkpoint");
  return fmt::format(
      "{} at step {}, against {} over {}, the best of {} earlier levels: worse by {} ± {} ({}). "
      "Were it worse by no more than {}, noise alone would look like this with p = {:.2g}, the "
      "choice of the best included; the rule asks for {:.2g} at {}, which keeps false alarms to "
      "{:g} % per {} checkpoints of a run.",
      Amount(seen.value, seen.metric), seen.step, Amount(seen.best, seen.metric), StepsOf(seen),
      seen.candidates, Points(seen.drop, seen.metric), Points(seen.standard_error, seen.metric),
      noise, Points(rule.min_drop, seen.metric), p, level, looks, rule.false_alarm_rate * 100,
      kLooksPerRate);
}

std::vector<Intervention> Suggest(const ScoreDrop& seen) {
  return {{"investigate",
           fmt::format("Look at what changed after step {}: data, learning rate, a restart; "
                       "couplingctl scores and couplingctl loss show whether other scores and the "
                       "training loss moved with it.",
                       seen.best_to),
           "One score may fall while the loss goes on falling."}};
}

// `looks` are of one run and metric, in order of steps.
std::optional<Finding> Judge(const RuleConfig& rule, const std::vector<const ScoreDrop*>& looks) {
  const auto hold = static_cast<std::ptrdiff_t>(RuleHold(rule));
  if (std::ssize(looks) < hold) return std::nullopt;
  const auto newest = looks.end() - hold;
  const auto all = [&](bool (*holds)(const RuleConfig&, const ScoreDrop&)) {
    return std::all_of(newest, looks.end(),
                       [&](const ScoreDrop* seen) { return holds(rule, *seen); });
  };
  const bool fallen = all(HasFallen);
  if (!fallen && !all(IsBack)) return std::nullopt;
  const ScoreDrop& last = *looks.back();
  Finding finding = NewFinding(rule, last.run, last.metric, fallen);
  finding.labels.insert({{"run", last.run}, {"family", last.family}, {"metric", last.metric}});
  SetValue(finding, "value", last.value);
  SetValue(finding, "best", last.best);
  SetValue(finding, "best_step", static_cast<double>(last.best_to));
  SetValue(finding, "drop", last.drop);
  SetValue(finding, "standard_error", last.standard_error);
  SetValue(finding, "n", last.items);
  SetValue(finding, "step", static_cast<double>(last.step));
  SetValue(finding, "tokens", last.tokens);
  SetValue(finding, "p_value", AgainstNoDrop(last, rule.min_drop));
  SetValue(finding, "p_value_needed", LevelAt(rule, last));
  if (!fallen) {
    finding.summary =
        fmt::format("{} is back at {} at step {}, against {} before.", last.metric,
                    Amount(last.value, last.metric), last.step, Amount(last.best, last.metric));
    return finding;
  }
  finding.summary = fmt::format("{}: {} {} from {} to {}", last.run, last.metric,
                                last.value < last.best ? "fell" : "rose",
                                Amount(last.best, last.metric), Amount(last.value, last.metric));
  finding.description = Describe(rule, last);
  finding.interventions = Suggest(last);
  return finding;
}

}  // namespace

std::vector<Finding> EvaluateScoreRegression(const RuleConfig& rule, const RuleInputs& inputs) {
  const std::vector<std::string> metrics = RuleMetrics(rule, inputs.axes);
  std::map<std::pair<std::string, std::string>, std::vector<const ScoreDrop*>> series;
  for (const ScoreDrop& seen : inputs.scores.drops) {
    const WatchedRun* run = FindWatchedRun(inputs, seen.run);
    if (!run || run->generation != seen.generation) continue;
    if (std::ranges::find(metrics, seen.metric) == metrics.end()) continue;
    series[{seen.run, seen.metric}].push_back(&seen);
  }
  std::vector<Finding> findings;
  for (auto& [key, looks] : series) {
    std::ranges::stable_sort(looks, {}, &ScoreDrop::step);
    std::optional<Finding> finding = Judge(rule, looks);
    if (finding) findings.push_back(std::move(*finding));
  }
  return findings;
}

}  // namespace couplingd
