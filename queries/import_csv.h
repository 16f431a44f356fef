// Published scores as CSV (RFC 4180, UTF-8, with a header line).
#pragma once

#include <string>

#include "base/result.h"
#include "queries/import.h"

namespace couplingd {

// Columns, in any order:
//   run or model, task, metric, value                     required
//   family, parameters, d_model, step, tokens, tokens_per_step, stderr, n     optional; an empty
//   cell is absent
// `parameters` and `tokens` read 1.4B as well as 1400000000. Values are fractions: a share or
// accuracy above 1 is refused, unless options.percent says that all of them are percent. A row
// without a step is a finished model: its only checkpoint, at step 1. Rows of one run and step are
// one evaluation of harness "imported:csv". All bad rows are listed in the error.
Result<ImportBatch> ReadCsv(const std::string& path, const ImportOptions& options);
Result<ImportBatch> ParseScoresCsv(const std::string& text, const std::string& path,
                                   UnixMillis modified_at, const ImportOptions& options);

}  // namespace couplingd
