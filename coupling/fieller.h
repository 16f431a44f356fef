// The confidence set of a ratio of two normal means.
#pragma once

#include "base/result.h"

namespace couplingd {

// Two estimates, jointly normal.
struct RatioEstimate {
  double numerator = 0;
  double denominator = 0;
  double variance_numerator = 0;
  double variance_denominator = 0;
  double covariance = 0;
};

enum class FiellerShape {
  kInterval,    // low ≤ ratio ≤ high: the denominator is told from 0
  kComplement,  // ratio ≤ low or ratio ≥ high; one of them may be infinite
  kEverything,  // every ratio: numerator and denominator are both not told from 0
};

struct FiellerSet {
  FiellerShape shape = FiellerShape::kEverything;
  double low = 0, high = 0;  // ∓infinity for kEverything
  bool Holds(double ratio) const;
};

// All ratios ρ that numerator − ρ·denominator = 0 does not contradict, |numerator − ρ·denominator|
// ≤ critical · its standard error: E. C. Fieller, "Some problems in interval estimation", J. R.
// Stat. Soc. B 16, 175 (1954). `critical` is StudentCritical or NormalCritical of the level. It
// holds its level whatever the denominator is, which no always bounded set of a ratio does. Refuses
// numbers that are not finite, negative variances, and a covariance beyond what the variances
// allow.
Result<FiellerSet> FiellerInterval(const RatioEstimate& estimate, double critical);

}  // namespace couplingd
