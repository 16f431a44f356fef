// What might be done about a coupling, with the numbers it rests on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coupling/reference_panel.h"
#include "coupling/window_estimate.h"
#include "records/alert.h"
#include "records/coupling.h"

namespace couplingd {

// Another run of the same size, its newest γ over steps at about the same tokens.
struct PeerRun {
  std::string run;
  std::string family;
  double gamma = 0, low = 0, high = 0;
  std::optional<double> tokens;
};

// Another axis pair that is tracked on the same run or family.
struct TrackedPair {
  std::string axes;
  CouplingDiagnostics diagnostics;
};

struct InterventionContext {
  std::optional<double> parameters;
  std::optional<int> d_model;
  CouplingDiagnostics diagnostics;  // of the estimate: which axis moved, which sits at an end
  std::vector<PeerRun> peers;
  std::vector<TrackedPair> pairs;
  const ReferencePanel* reference = nullptr;  // what other models show; may be absent
};

// Share of the training text to curate, 0 to 1: h_c(N) = k·(N_c − N)^1.5, k fixed by 0.6 at N = 1B
// and N_c = 3.5B (arXiv:2605.18838, not validated). A heuristic: only ever shown with that word.
// Absent outside 70M ≤ N < N_c ≤ 100B, around the sizes it was read off.
std::optional<double> CurationDose(double parameters, double critical_parameters);

// Suggestions for one estimate, most useful first. Tax: curate; take the recipe of a peer whose γ
// is higher beyond both intervals; widen or scale towards N_c where a forecast supports it. An axis
// at chance or at its ceiling: rotate, to the tracked pair with most signal. Undetermined for
// another reason: investigate, with what would settle it. Transition and bonus: none. `forecast` of
// another family or without a value is not used for more than its reason.
std::vector<Intervention> SuggestInterventions(const CouplingEstimate& estimate,
                                               const std::optional<Forecast>& forecast,
                                               const InterventionContext& context);

// What both axes moved by over a window, in critical values, the smaller of the two; 0 where an
// axis sits at chance or at its ceiling. Above 1 both moved significantly.
double PairSignal(const CouplingDiagnostics& seen);

// after − before with an interval from two independent ones that need not be symmetric: G. Y. Zou,
// A. Donner, Stat. Med. 27, 1693 (2008), eq. 7. REQUIRES: both have γ; infinite ends give infinite
// ends.
struct CouplingChange {
  double value = 0, low = 0, high = 0;
};
CouplingChange ChangeOf(const PeerRun& before, const PeerRun& after);

}  // namespace couplingd
