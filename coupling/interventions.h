// What might be done about a coupling, with the numbers it rests on.
#pragma once

#include <optional>
#include <vector>

#include "coupling/window_estimate.h"
#include "records/alert.h"
#include "records/coupling.h"

namespace couplingd {

struct InterventionContext {
  std::optional<double> parameters;
  std::optional<int> d_model;
  CouplingDiagnostics diagnostics;  // of the estimate: which axis moved, which sits at an end
};

// Share of the training text to curate, 0 to 1: h_c(N) = k·(N_c − N)^1.5, k fixed by 0.6 at N = 1B
// and N_c = 3.5B (arXiv:2605.18838, not validated). A heuristic: only ever shown with that word.
// Absent outside 70M ≤ N < N_c ≤ 100B, around the sizes it was read off.
std::optional<double> CurationDose(double parameters, double critical_parameters);

// Suggestions for one estimate, most useful first. Tax: curate, then widen or scale towards N_c
// where a forecast supports it. An axis at chance or at its ceiling: rotate. Undetermined for
// another reason: investigate, with what would settle it. Transition and bonus: none. `forecast` of
// another family or without a value is not used for more than its reason.
std::vector<Intervention> SuggestInterventions(const CouplingEstimate& estimate,
                                               const std::optional<Forecast>& forecast,
                                               const InterventionContext& context);

}  // namespace couplingd
