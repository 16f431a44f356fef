// Training losses on their way into the history: read where the user is, recorded where the writer
// is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "history/store.h"
#include "records/loss.h"

namespace couplingd {

struct LossImport {
  std::string run;
  std::string source;  // the file
  std::vector<LossPoint> points;
};

// The body of POST /api/v1/losses: {"run", "source", "points": [[step, loss, tokens or null], …]}.
std::string ToJson(const LossImport& import);
Result<LossImport> LossImportFromJson(std::string_view json);

struct LossSummary {
  std::int64_t points = 0;    // given
  std::int64_t recorded = 0;  // 0 where the same points of that file are there already
};
std::string ToJson(const LossSummary& summary);
Result<LossSummary> LossSummaryFromJson(std::string_view json);

// Joins the run's newest generation; what came from the same file before is replaced. kNotFound for
// a run that the history does not have.
Result<LossSummary> RecordLosses(HistoryWriter& history, const LossImport& import);

}  // namespace couplingd
