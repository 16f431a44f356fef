// Two runs side by side at matched tokens.
#pragma once

#include <string>

#include "base/result.h"
#include "queries/history_answers.h"

namespace couplingd {

// Parameters: run_a, run_b; axes; task (of the scores that are compared); at (tokens, or steps
// where a run's tokens are unknown), tolerance (relative, 0.02). See docs/json.md for the shape.
Result<std::string> AnswerComparison(const QueryContext& context);

}  // namespace couplingd
