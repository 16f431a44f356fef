// The checks of a published result, made on the user's own history.
#pragma once

#include <string>

#include "base/result.h"
#include "queries/history_answers.h"

namespace couplingd {

// Parameters: name (of a run or of a family), run, family, axes, generation. One row per check of
// every run (over steps) and family (over scale): relabelling, leave-one-out, other metrics, power,
// chance and ceiling, shared items.
Result<std::string> AnswerAudit(const QueryContext& context);

}  // namespace couplingd
