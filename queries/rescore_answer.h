// Metrics computed again from the stored log-likelihoods, without a model.
#pragma once

#include <string>

#include "base/result.h"
#include "queries/history_answers.h"

namespace couplingd {

// One row per metric of every evaluation that has raw scores (the parameter `metrics` names them,
// separated by commas; by default all that can be computed), and one with a `problem` for every
// task of a checkpoint whose files are missing or damaged, of which only aggregates are known, or
// which lacks the metric asked for. A row carries the evaluation it belongs to, so that it can be
// recorded as a further score of it.
Result<std::string> AnswerRescore(const QueryContext& context);

}  // namespace couplingd
