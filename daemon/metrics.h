// Prometheus metrics of the daemon. Labels come from the configuration only, never from file names;
// the series of a run that is no longer configured is not exported.
#pragma once

#include <string>

#include "base/result.h"
#include "config/config.h"
#include "history/store.h"

namespace couplingd {

struct LiveNumbers {
  std::size_t evaluating = 0;
  bool ready = false;
};

// The exposition text (format 0.0.4) of what history holds now.
Result<std::string> MetricsText(HistoryReader& history, const Config& config,
                                const LiveNumbers& live);

}  // namespace couplingd
