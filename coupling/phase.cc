#include "coupling/phase.h"

#include <algorithm>
#include <cmath>

namespace couplingd {

Phase ClassifyPhase(double low, double high, const PhaseBounds& bounds) {
  if (high < bounds.tax) return Phase::kTax;
  if (low > bounds.bonus) return Phase::kBonus;
  if (low >= bounds.tax && high <= bounds.bonus) return Phase::kTransition;
  return Phase::kUndetermined;
}

double DistanceToBound(double gamma, const PhaseBounds& bounds) {
  return std::min(std::abs(gamma - bounds.tax), std::abs(gamma - bounds.bonus));
}

PhaseShares SharesOfPhases(std::span<const double> replicates, const PhaseBounds& bounds) {
  if (replicates.empty()) return {};
  const auto n = static_cast<double>(replicates.size());
  return {static_cast<double>(
              std::ranges::count_if(replicates, [&](double gamma) { return gamma < bounds.tax; })) /
              n,
          static_cast<double>(std::ranges::count_if(
              replicates, [&](double gamma) { return gamma > bounds.bonus; })) /
              n};
}

}  // namespace couplingd
