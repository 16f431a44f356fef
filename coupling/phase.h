// From γ and its interval to a phase.
#pragma once

#include <optional>
#include <span>

#include "records/coupling.h"

namespace couplingd {

// The phase that the whole interval lies in; undetermined where it lies in no single one.
// low ≤ high; infinities allowed.
Phase ClassifyPhase(double low, double high, const PhaseBounds& bounds);

// Distance from γ to the nearest bound of the phase γ itself lies in.
double DistanceToBound(double gamma, const PhaseBounds& bounds);

// Share of the replicates of γ below `tax` and above `bonus`.
struct PhaseShares {
  double tax = 0;
  double bonus = 0;
};
PhaseShares SharesOfPhases(std::span<const double> replicates, const PhaseBounds& bounds);

}  // namespace couplingd
