// Rules that decide an exit status: "truthfulqa_mc2.acc>=0.40", "phase!=tax && gamma>-0.1".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace couplingd {

// Exit statuses 0, 1, 2.
enum class Verdict { kHolds = 0, kDoesNotHold = 1, kUndetermined = 2 };

struct GateTerm {
  std::string subject;     // "gamma", "phase" or "TASK.METRIC"
  std::string comparison;  // >= > <= < == !=
  std::string word;        // of phase
  double number = 0;       // of the others
  std::string Text() const;
};

struct Gate {
  std::vector<GateTerm> terms;  // all must hold
};

struct GateResult {
  Verdict verdict = Verdict::kHolds;
  std::vector<std::string> reasons;  // one line per comparison that was made
};

// Terms joined by "&&" or ",". Numbers may be percent ("40%"). kUsage names the term that is not
// understood.
Result<Gate> ParseGate(std::string_view text);

// Compares the 95 % interval of each score (value ± 1.96 standard errors; the value alone where
// none is known) with the number: undetermined where the interval holds values on both sides.
// `scores` has rows of the shape of `scores`. A metric that is not among them is kUsage and lists
// those that are.
Result<GateResult> GateScores(const Gate& gate, const JsonValue& scores);

// Applies to the newest estimate of every run or family and axes in rows of the shape of
// `coupling`. An undetermined phase, a missing estimate and an interval on both sides of the number
// leave it undetermined.
Result<GateResult> GateCoupling(const Gate& gate, const JsonValue& couplings);

}  // namespace couplingd
