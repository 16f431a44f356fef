// What rules see, gathered from a history: now, or as it was.
#pragma once

#include <optional>
#include <vector>

#include "alerts/rules.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "history/store.h"
#include "queries/analysis.h"

namespace couplingd {

// The runs, checkpoints, couplings, forecasts and deliveries of the history at `now`. Without
// `as_of_then` they are as they stand; with it, nothing that was recorded later is seen: a
// checkpoint that changed after `now` counts as queued from its discovery on, since only its last
// state is kept. Score evidence is the caller's.
Result<RuleInputs> GatherRuleInputs(HistoryReader& history, const Config& config, UnixMillis now,
                                    bool as_of_then = false);

// Advice by run (or family) and axes, for alerts about coupling and axes.
void SetAdvice(RuleInputs& inputs, const Advice& advice);

}  // namespace couplingd
