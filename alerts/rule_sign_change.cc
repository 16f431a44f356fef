#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "alerts/rule_kinds.h"
#include "base/units.h"

namespace couplingd {
namespace {

// What one method says: for, against, or too unsure to count on either side.
enum class Opinion { kFor, kAgainst, kUnsure };

bool LiesWithin(double value, double largest, double factor) {
  return value >= largest / factor && value <= largest * factor;
}

Opinion OpinionOf(const Forecast& forecast, const RuleConfig& rule, double largest) {
  if (*forecast.p_crossing <= 1 - rule.probability) return Opinion::kAgainst;
  if (*forecast.p_crossing < rule.probability || !forecast.value) return Opinion::kUnsure;
  return LiesWithin(*forecast.value, largest, rule.horizon) ? Opinion::kFor : Opinion::kAgainst;
}

std::string_view UnitOf(const Forecast& forecast) {
  return forecast.run.empty() ? "parameters" : "tokens";
}

std::string NumbersOf(const Forecast& forecast) {
  const std::string chance = fmt::format("P(crossing) = {:.1f} %", *forecast.p_crossing * 100);
  if (!forecast.value) return chance;
  return fmt::format("{} = {} {}, {:g} % interval {}, {}", forecast.quantity,
                     FormatCount(*forecast.value), UnitOf(forecast), forecast.level * 100,
                     IntervalText(forecast.low, forecast.high, FormatCount), chance);
}

std::string NumbersOfAll(const std::vector<const Forecast*>& forecasts) {
  std::string text;
  for (const Forecast* forecast : forecasts) {
    text += fmt::format("{}{}: {} ({} {}).", text.empty() ? "" : "\n", forecast->method,
                        NumbersOf(*forecast), forecast->n,
                        forecast->run.empty() ? "sizes" : "checkpoints");
  }
  return text;
}

// The forecasts of one quantity for one pair of axes, by all the methods that gave an answer.
std::optional<Finding> Judge(const RuleConfig& rule, const RuleInputs& inputs, double largest,
                             const std::vector<const Forecast*>& forecasts) {
  std::vector<const Forecast*> in_favour, against;
  for (const Forecast* forecast : forecasts) {
    const Opinion opinion = OpinionOf(*forecast, rule, largest);
    if (opinion == Opinion::kFor) in_favour.push_back(forecast);
    if (opinion == Opinion::kAgainst) against.push_back(forecast);
  }
  const bool holds = 2 * in_favour.size() > forecasts.size();
  if (!holds && 2 * against.size() <= forecasts.size()) return std::nullopt;

  const Forecast& lead = holds ? *in_favour.front() : *against.front();
  const bool of_family = lead.run.empty();
  const std::string& name = of_family ? lead.family : lead.run;
  Finding finding = NewFinding(rule, name, fmt::format("{},{}", lead.axes, lead.quantity), holds);
  if (!of_family) finding.labels["run"] = lead.run;
  finding.labels.insert(
      {{"family", lead.family}, {"axes", lead.axes}, {"quantity", lead.quantity}});
  SetValue(finding, "value", lead.value);
  SetValue(finding, "low", lead.low);
  SetValue(finding, "high", lead.high);
  SetValue(finding, "level", lead.level);
  SetValue(finding, "n", lead.n);
  SetValue(finding, "probability", lead.p_crossing);
  SetValue(finding, "largest", largest);
  if (!holds) {
    finding.summary =
        fmt::format("No sign change is forecast any more within a factor of {:g} of {} {} ({}).",
                    rule.horizon, FormatCount(largest), UnitOf(lead), NumbersOf(lead));
    return finding;
  }
  const AxesNames axes = SplitAxes(lead.axes);
  finding.summary =
      fmt::format("{}: the coupling of {} and {} {} sign at {} = {} {}", name, axes.reasoning,
                  axes.truthfulness, *lead.value > largest ? "is forecast to change" : "changes",
                  lead.quantity, FormatCount(*lead.value), UnitOf(lead));
  finding.description =
      fmt::format("{}\n{} of {} methods see it within a factor of {:g} of the {} {}, {}.",
                  NumbersOfAll(forecasts), in_favour.size(), forecasts.size(), rule.horizon,
                  of_family ? "largest size" : "tokens seen so far",
                  of_family ? "trained" : "by this run", FormatCount(largest));
  if (inputs.advise_forecast) finding.interventions = inputs.advise_forecast(lead);
  return finding;
}

std::optional<double> LargestFor(const Forecast& forecast, const RuleInputs& inputs) {
  const auto& sizes = forecast.run.empty() ? inputs.largest_parameters : inputs.latest_tokens;
  const auto found = sizes.find(forecast.run.empty() ? forecast.family : forecast.run);
  if (found == sizes.end() || !(found->second > 0)) return std::nullopt;
  return found->second;
}

}  // namespace

std::vector<Finding> EvaluateSignChange(const RuleConfig& rule, const RuleInputs& inputs) {
  const std::set<std::string> axes = RuleAxes(rule, inputs);
  std::map<std::tuple<std::string, std::string, std::string, std::string>,
           std::vector<const Forecast*>>
      groups;
  for (const Forecast& forecast : inputs.forecasts) {
    const bool watched = forecast.run.empty() ? IsWatchedFamily(inputs, forecast.family)
                                              : FindWatchedRun(inputs, forecast.run) != nullptr;
    if (!watched || !axes.contains(forecast.axes) || !forecast.p_crossing) continue;
    groups[{forecast.run.empty() ? forecast.family : "", forecast.run, forecast.axes,
            forecast.quantity}]
        .push_back(&forecast);
  }
  std::vector<Finding> findings;
  for (const auto& [key, forecasts] : groups) {
    const std::optional<double> largest = LargestFor(*forecasts.front(), inputs);
    if (!largest) continue;
    std::optional<Finding> finding = Judge(rule, inputs, *largest, forecasts);
    if (finding) findings.push_back(std::move(*finding));
  }
  return findings;
}

}  // namespace couplingd
