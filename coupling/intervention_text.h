// Sentences that the interventions share.
#pragma once

#include <optional>
#include <string>

#include "coupling/window_estimate.h"
#include "records/coupling.h"

namespace couplingd {

// "1.3B", "70M", "512".
std::string SizeText(double value);
// "γ = -0.42 [-0.60, -0.20] at the 95 % level over 8 checkpoints"
std::string GammaText(const CouplingEstimate& estimate);
// "while reasoning moved by +3.1 ± 0.4 points, truthfulness moved by -1.0 ± 0.3"
std::string MovementText(const CouplingDiagnostics& seen);
// "N_c = 3.5B [2.9B, 13.4B] (u-shape, 8 sizes, 97 % of replicates cross)"
std::string CriticalText(const Forecast& forecast);
// Whether there is a forecast of N_c with a value.
bool IsScaleForecast(const std::optional<Forecast>& forecast);

}  // namespace couplingd
