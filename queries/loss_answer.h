// The training loss beside the coupling.
#pragma once

#include <string>

#include "base/result.h"
#include "queries/history_answers.h"

namespace couplingd {

// Parameters: run, family, axes, generation. One row per run with recorded losses and axis pair:
// the power law of its last two decades, the coupling that is left given the loss, and whether the
// loss steps where γ changes sign. One row per family with losses of at least two sizes: the power
// law over parameters at the largest place that all of them reach.
Result<std::string> AnswerLoss(const QueryContext& context);

}  // namespace couplingd
