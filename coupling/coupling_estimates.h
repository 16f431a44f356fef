// What the estimates over steps and over scale share.
#pragma once

#include "coupling/local_coupling.h"

namespace couplingd {

// Refuses options that no estimate can be made with, naming the option.
Status CheckOptions(const AxisSeries& series, const CouplingOptions& options);

// `estimate` with its labels, completed by what its window gave.
LocalCoupling FillEstimate(CouplingEstimate estimate, WindowEstimate window);

}  // namespace couplingd
