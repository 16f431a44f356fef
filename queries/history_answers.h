// Answers that need no estimation: what is stored, as JSON. See queries.h for the shapes.
#pragma once

#include <optional>
#include <string>

#include "queries/queries.h"

namespace couplingd {

// What an answer may look at.
struct QueryContext {
  HistoryReader& history;
  const Config& config;
  const Clock& clock;
  const QueryParameters& parameters;
};

// RFC 3339; absent for 0.
std::optional<std::string> TimeOrNull(UnixMillis time);

Result<std::string> AnswerStatus(const QueryContext& context);
Result<std::string> AnswerRuns(const QueryContext& context);
Result<std::string> AnswerCheckpoints(const QueryContext& context);
Result<std::string> AnswerScores(const QueryContext& context);
Result<std::string> AnswerEvents(const QueryContext& context);

}  // namespace couplingd
