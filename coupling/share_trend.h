// Do shares rise or fall along an order?
#pragma once

#include <span>

#include "base/result.h"

namespace couplingd {

struct ShareCount {
  int successes = 0;
  int total = 0;
};

struct ShareTrend {
  double z = 0;        // below 0: the shares fall
  double p = 1;        // two-sided, normal
  double exact_p = 1;  // two-sided, all tables of these margins: Σ P(|T| ≥ |t|)
};

// Cochran–Armitage test with scores 0, 1, 2, … (P. Armitage, Biometrics 11, 375, 1955). Needs two
// counts or more that are neither all nor nothing, and at most a million tables; fails otherwise.
Result<ShareTrend> TestShareTrend(std::span<const ShareCount> counts);

}  // namespace couplingd
