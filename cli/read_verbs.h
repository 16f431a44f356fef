// The trajectory plots of `history` and `coupling`, from their JSON rows.
#pragma once

#include <string>

#include "base/json.h"

namespace couplingd {

// For every run (and axes) the scores of both axes with 95 % intervals, and γ with its interval
// below.
std::string PlotHistory(const JsonValue& rows, int width, bool ascii);

// γ with its interval, a panel for each run, or over the sizes of each family.
std::string PlotCoupling(const JsonValue& rows, int width, bool ascii);

}  // namespace couplingd
