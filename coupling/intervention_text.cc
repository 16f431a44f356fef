#include "coupling/intervention_text.h"

#include <fmt/format.h>

namespace couplingd {

std::string SizeText(double value) {
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

std::string CriticalText(const Forecast& forecast) {
  return fmt::format("N_c = {} [{}, {}] ({}, {} sizes, {:.0f} % of replicates cross)",
                     SizeText(*forecast.value), SizeText(*forecast.low), SizeText(*forecast.high),
                     forecast.method, forecast.n, 100 * forecast.p_crossing.value_or(0));
}

bool IsScaleForecast(const std::optional<Forecast>& forecast) {
  return forecast && forecast->value && forecast->quantity == "N_c";
}

}  // namespace couplingd
