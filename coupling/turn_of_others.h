// Where a family's coupling turns, from the way other families turned.
#pragma once

#include <vector>

#include "coupling/critical_scale.h"

namespace couplingd {

// "others", over scale only: γ of the other families is one line of reasoning, fitted without a
// ratio as ΔT = (A·R + B)·ΔR over their consecutive sizes; it is 0 at some level of reasoning, and
// N_c is the size at which the family reaches that level, between its sizes by interpolation,
// beyond them along its last two. A replicate draws the other families with replacement and moves
// the line by the departure of one of them, shrunken to the variance between families that the
// residuals do not explain (R. DerSimonian, N. Laird, Control. Clin. Trials 7, 177 (1986)): the
// interval is one of prediction for a family not seen. Needs two sizes of the family, and three
// other families with four intervals among them. Same contract as the methods of critical_scale.h.
Result<Forecast> ForecastByOthers(const std::vector<AxisSeries>& others, const AxisSeries& series,
                                  const ForecastOptions& options);

}  // namespace couplingd
