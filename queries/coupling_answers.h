// Answers that rest on estimation. Stored estimates are given where there are any for what is
// asked; what was never estimated (another axis pair, an imported family, another database) is
// estimated now.
#pragma once

#include <string>

#include "queries/history_answers.h"

namespace couplingd {

Result<std::string> AnswerHistory(const QueryContext& context);
Result<std::string> AnswerCoupling(const QueryContext& context);
Result<std::string> AnswerForecast(const QueryContext& context);

}  // namespace couplingd
