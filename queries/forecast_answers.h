// What `forecast` answers beside the place of a sign change: benchmarks' scores at places not seen
// yet, and the terms of the ODE with how sure they are. Both are estimated when they are asked for.
#pragma once

#include <string>

#include "queries/history_answers.h"

namespace couplingd {

// With `benchmarks`, `task` or `at`: an array of score forecasts, of the families (over=scale) or
// runs (over=steps, the default where `run` is given) that are selected.
Result<std::string> AnswerScoreForecasts(const QueryContext& context);

// With `terms`: an array of the terms of the sparse ODE of each family or run, and over steps of
// the whole ladder of a family.
Result<std::string> AnswerOdeTerms(const QueryContext& context);

}  // namespace couplingd
