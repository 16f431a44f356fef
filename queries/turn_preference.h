// What the shipped panel says about forecasts of N_c: a method of its own, and which method to
// prefer.
#pragma once

#include <vector>

#include "base/result.h"
#include "coupling/critical_scale.h"
#include "coupling/turn_choice.h"

namespace couplingd {

// By the panel's families but the one of this name (coupling/turn_of_others.h). `series` is a
// family over its sizes, on the panel's axes (ReferencePanel::HasAxes).
Result<Forecast> ForecastByPanel(const AxisSeries& series, const ForecastOptions& options);

// Between the N_c forecasts of one family and axis pair, by how near each method came to the turns
// of the panel's other families. The trials are made once a process.
Result<TurnChoice> PreferTurn(const std::vector<Forecast>& forecasts);

}  // namespace couplingd
