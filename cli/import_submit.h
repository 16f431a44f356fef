// Hands results to whoever may write: the daemon, or the history itself while none runs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/source.h"
#include "queries/import.h"

namespace couplingd {

// The folder of the history's raw scores, made if need be; absent where it is not known (a socket
// alone) or not writable from here, so that only aggregates can be recorded.
Result<std::optional<std::string>> WritableScoresFolder(const Places& places,
                                                        const CliServices& services);

// Through the daemon in parts that fit its limit; parts that were recorded stay so if a later one
// fails, and doing it again records the rest.
Result<ImportSummary> SubmitImport(const Places& places, const CliServices& services,
                                   const std::vector<ImportedResult>& results);

}  // namespace couplingd
