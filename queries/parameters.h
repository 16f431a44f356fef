// From the text of parameters to typed filters.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "history/store.h"
#include "queries/queries.h"

namespace couplingd {

// "A..B", "A..", "..B" or "A" (both ends), each a count such as 1000, 2B or 1e9.
struct Range {
  std::optional<double> low, high;
};
Result<Range> ParseRange(std::string_view text, std::string_view parameter);

// run, family, task, metric, generation, step, tokens, since, limit.
Result<HistoryFilter> ParseFilter(const QueryParameters& parameters, const Clock& clock);

// The axis pairs that `axes` selects: all configured ones where it is absent, the one of that name,
// or an unnamed pair "task.metric,task.metric".
Result<std::vector<AxisPair>> ParseAxes(const QueryParameters& parameters, const Config& config);

// A number such as 0.02 or 2B; absent where the parameter is.
Result<std::optional<double>> ParseNumber(const QueryParameters& parameters,
                                          const std::string& name);

// `over`: steps (default) or scale.
Result<CouplingOver> ParseOver(const QueryParameters& parameters);

}  // namespace couplingd
