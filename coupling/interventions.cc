#include "coupling/interventions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace couplingd {
namespace {

std::string Count(double value) {
  if (value >= 1e9) return fmt::format("{:.3g}B", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.3g}M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:.3g}k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

std::string GammaText(const CouplingEstimate& estimate) {
  return fmt::format("γ = {:+.2f} [{:+.2f}, {:+.2f}] at the {:.0f} % level over {} {}",
                     *estimate.gamma, *estimate.low, *estimate.high, 100 * estimate.level,
                     estimate.n, estimate.over == CouplingOver::kSteps ? "checkpoints" : "sizes");
}

std::string MovementText(const CouplingDiagnostics& seen) {
  return fmt::format(
      "while reasoning moved by {:+.1f} ± {:.1f} points, truthfulness moved by {:+.1f} ± "
      "{:.1f}",
      100 * seen.reasoning.change, 100 * seen.reasoning.standard_error,
      100 * seen.truthfulness.change, 100 * seen.truthfulness.standard_error);
}

bool IsScaleForecast(const std::optional<Forecast>& forecast) {
  return forecast && forecast->value && forecast->quantity == "N_c";
}

std::string CriticalText(const Forecast& forecast) {
  return fmt::format("N_c = {} [{}, {}] ({}, {} sizes, {:.0f} % of replicates cross)",
                     Count(*forecast.value), Count(*forecast.low), Count(*forecast.high),
                     forecast.method, forecast.n, 100 * forecast.p_crossing.value_or(0));
}

std::string DoseText(const std::optional<Forecast>& forecast, std::optional<double> parameters) {
  if (!IsScaleForecast(forecast) || !parameters) {
    return "no dose is given: it needs the model's size and a forecast of N_c";
  }
  const auto dose = CurationDose(*parameters, *forecast->value);
  if (!dose) {
    return fmt::format(
        "no dose is given: the heuristic was read off 70M to 100B below N_c, not at {} "
        "with {}",
        Count(*parameters), CriticalText(*forecast));
  }
  return fmt::format(
      "heuristic dose h_c = k·(N_c − N)^1.5: about {:.0f} % curated text at {} with {}; "
      "the formula is published and not validated",
      100 * *dose, Count(*parameters), CriticalText(*forecast));
}

Intervention Curate(const CouplingEstimate& estimate, const std::optional<Forecast>& forecast,
                    const InterventionContext& context) {
  return {
      .kind = "curate",
      .action =
          "Curate the training data: thin out text that repeats what the truthfulness items "
          "count as false, before more of it is learned.",
      .reason = fmt::format("{}: {}; {}.", GammaText(estimate), MovementText(context.diagnostics),
                            DoseText(forecast, context.parameters))};
}

// Width at unchanged depth: parameters grow with its square. Rounded up to a multiple of 8 or 64.
int WidthFor(int d_model, double parameters, double wanted) {
  const double width = d_model * std::sqrt(wanted / parameters);
  const int multiple = width >= 512 ? 64 : 8;
  return static_cast<int>(std::ceil(width / multiple)) * multiple;
}

Intervention Widen(const CouplingEstimate& estimate, const Forecast& forecast,
                   const InterventionContext& context) {
  std::string action =
      fmt::format("Plan the next model beyond N_c ({} or more)", Count(*forecast.high));
  if (context.d_model) {
    action += fmt::format(
        ": at unchanged depth about d_model {} to reach N_c, {} for the interval's upper "
        "end (now {})",
        WidthFor(*context.d_model, *context.parameters, *forecast.value),
        WidthFor(*context.d_model, *context.parameters, *forecast.high), *context.d_model);
  }
  return {
      .kind = "widen",
      .action = action + ".",
      .reason = fmt::format(
          "{} at {}; {}. That width is the cause is not shown: dividing both scores by the width "
          "turns "
          "the correlation positive with shuffled scores too, so that width normalisation alone "
          "proves nothing.",
          GammaText(estimate), Count(*context.parameters), CriticalText(forecast))};
}

std::optional<std::string> AxisProblem(const AxisMovement& movement) {
  if (movement.is_near_chance) return "within noise of chance";
  if (movement.is_at_ceiling) return "within noise of its ceiling";
  return std::nullopt;
}

std::string SignalText(const char* name, const AxisMovement& movement) {
  if (const auto problem = AxisProblem(movement)) return fmt::format("{} is {}", name, *problem);
  const double sigmas =
      movement.standard_error > 0 ? std::abs(movement.change) / movement.standard_error : 0;
  return fmt::format("{} moved by {:+.1f} points ({:.1f} standard errors)", name,
                     100 * movement.change, sigmas);
}

std::optional<Intervention> Rotate(const CouplingEstimate& estimate,
                                   const CouplingDiagnostics& seen) {
  const bool reasoning = AxisProblem(seen.reasoning).has_value();
  const bool truthfulness = AxisProblem(seen.truthfulness).has_value();
  if (!reasoning && !truthfulness) return std::nullopt;
  const std::size_t comma = estimate.axes.find(',');
  const std::string first = estimate.axes.substr(0, comma);
  const std::string second = comma == std::string::npos ? "" : estimate.axes.substr(comma + 1);
  const std::string which = reasoning && truthfulness ? "both " + first + " and " + second
                            : reasoning               ? first
                                                      : second;
  return Intervention{
      .kind = "rotate",
      .action = fmt::format("Replace {} by {} with signal left at this size.", which,
                            reasoning && truthfulness ? "benchmarks" : "a benchmark"),
      .reason = fmt::format("Over the window {}; {}.", SignalText("reasoning", seen.reasoning),
                            SignalText("truthfulness", seen.truthfulness))};
}

}  // namespace

std::optional<double> CurationDose(double parameters, double critical_parameters) {
  if (!(parameters >= 70e6 && parameters < critical_parameters && critical_parameters <= 100e9)) {
    return std::nullopt;
  }
  const double scale = 0.6 / std::pow(3.5e9 - 1e9, 1.5);
  return std::min(1.0, scale * std::pow(critical_parameters - parameters, 1.5));
}

std::vector<Intervention> SuggestInterventions(const CouplingEstimate& estimate,
                                               const std::optional<Forecast>& forecast,
                                               const InterventionContext& context) {
  std::vector<Intervention> suggestions;
  if (auto rotate = Rotate(estimate, context.diagnostics))
    suggestions.push_back(std::move(*rotate));
  if (estimate.phase == Phase::kTax && estimate.gamma && estimate.low && estimate.high) {
    suggestions.push_back(Curate(estimate, forecast, context));
    if (IsScaleForecast(forecast) && context.parameters && *context.parameters < *forecast->value) {
      suggestions.push_back(Widen(estimate, *forecast, context));
    }
  }
  if (estimate.phase == Phase::kUndetermined && estimate.gamma && suggestions.empty()) {
    suggestions.push_back({.kind = "investigate",
                           .action = "Collect what would settle the phase before acting on it.",
                           .reason = estimate.reason});
  }
  return suggestions;
}

}  // namespace couplingd
