// From what history holds to alerts and their deliveries: the rules see, the lifecycle decides, the
// outbox takes it.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "history/store.h"
#include "queries/analysis.h"

namespace couplingd {

// Evaluates every rule on what is stored and records each transition with its deliveries. Returns
// how many transitions there were. Call it inside a transaction to commit them with what caused
// them. `advice` goes along with alerts about coupling.
Result<int> RaiseAlerts(HistoryWriter& history, const Config& config, const Clock& clock,
                        const Advice& advice);

}  // namespace couplingd
