// The charts of `history` and `coupling`, from their JSON rows.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "queries/chart.h"

namespace couplingd {

// For every run (and axes) the scores of both axes with 95 % intervals, and γ with its interval.
std::vector<Chart> HistoryCharts(const JsonValue& rows, const PhaseBounds& bounds);

// γ with its interval, a chart for each run, or over the sizes of each family.
std::vector<Chart> CouplingCharts(const JsonValue& rows, const PhaseBounds& bounds);

// Charts as plots, one below another; for one without γ, a sentence that says why.
std::string PlotCharts(const std::vector<Chart>& charts, int width, bool ascii);

}  // namespace couplingd
