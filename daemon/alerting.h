// From what history holds to alerts and their deliveries: the rules see, the lifecycle decides, the
// outbox takes it.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "history/store.h"
#include "queries/analysis.h"
#include "queries/score_evidence.h"

namespace couplingd {

using EvidenceByFamily = std::map<std::string, ScoreEvidence>;

// Evaluates every rule on what is stored, records each transition and what every sink is to be
// told. Call it inside a transaction to commit that with what caused it. `advice` goes along with
// alerts about coupling, and `evidence` is what the rules about scores rest on.
Status RaiseAlerts(HistoryWriter& history, const Config& config, const Clock& clock,
                   const Advice& advice, const EvidenceByFamily& evidence);

}  // namespace couplingd
