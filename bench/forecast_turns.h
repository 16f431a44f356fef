// Where families turn: bench/forecast.cc's part about N_c.
#pragma once

#include "base/result.h"

namespace couplingd {

// N_c of every family of the panel from the others alone, and how near each method for N_c comes.
Status PrintTurns();

}  // namespace couplingd
