// What rules would have done, on what was recorded.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "history/store.h"

namespace couplingd {

struct ReplayOptions {
  UnixMillis since = 0, until = 0;
  std::string run;  // or family: only alerts about it, and about the whole service; empty: all
};

// Evaluates the rules of `config` at every moment at which something was recorded, and at least
// every minute (60 times between two recordings) for rules that time alone can turn, through the
// same rules and transitions as the daemon's; nothing is written or sent. JSON array of {rule,
// kind, run, subject, severity, summary, fired_at, from_start, resolved_at, seconds, resolution,
// really, real_fired_at, real_resolved_at}, in order of time; `really` is "too", "not", or "only"
// for what fired then and would not now. What `since` finds firing is "from_start": when it began
// is not known. Silences, acknowledgements and waiting times are no part of it. A
// configuration without runs watches all that history has.
//
// Exact for couplings, forecasts, scores and refused or failed checkpoints whose state has not
// changed since. Of a checkpoint only its last state is kept: one that failed and was evaluated
// later counts as queued in between, and so do evaluations under way.
Result<std::string> ReplayAlerts(HistoryReader& history, Config config,
                                 const ReplayOptions& options);

}  // namespace couplingd
