// Alerts, what sinks were told of them, and silences, as JSON. See docs/json.md for the shapes.
#pragma once

#include "queries/history_answers.h"

namespace couplingd {

Result<std::string> AnswerAlerts(const QueryContext& context);
Result<std::string> AnswerDeliveries(const QueryContext& context);
Result<std::string> AnswerSilences(const QueryContext& context);

}  // namespace couplingd
