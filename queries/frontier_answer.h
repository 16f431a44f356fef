// The answer of the verb frontier; docs/json.md documents the shape.
#pragma once

#include <span>
#include <string>

#include "coupling/frontier/frontier.h"
#include "coupling/frontier/predictions.h"

namespace couplingd {

// One JSON object. `report` is of `table`; `predictions` may be empty.
std::string FrontierAnswer(const FrontierTable& table, const FrontierOptions& options,
                           const FrontierReport& report,
                           std::span<const PredictionStanding> predictions);

}  // namespace couplingd
