// The numbers of an alert as a person reads them: the estimate with its interval first, then where
// it was taken, from how much, and how sure it is.
#pragma once

#include <string>
#include <vector>

#include "records/alert.h"

namespace couplingd {

struct KeyNumber {
  std::string name;  // "γ", "at", "from", "probability", "noise alone", …
  std::string text;  // "-0.32 [-0.45, -0.18], 95 %", "step 8000, 2.1B tokens", "8 checkpoints"
};

// What finding.values hold, each number once. A bound that is missing there (unbounded, or not
// known) is shown as "?".
std::vector<KeyNumber> KeyNumbers(const Finding& finding);

// All of them on one line: "γ -0.32 [-0.45, -0.18], 95 % · at step 8000 · from 8 checkpoints".
// Empty if there are none.
std::string KeyNumbersLine(const Finding& finding);

// The numbers carry an interval, so that their line says what the description says.
bool HasInterval(const Finding& finding);

}  // namespace couplingd
