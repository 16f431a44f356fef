// What the estimates over steps and over scale share.
#pragma once

#include "coupling/local_coupling.h"

namespace couplingd {

// Refuses options that no estimate can be made with, naming the option.
Status CheckOptions(const AxisSeries& series, const CouplingOptions& options);

// `estimate` with its labels, completed by what its window gave.
LocalCoupling FillEstimate(CouplingEstimate estimate, WindowEstimate window);

// Evidence is claimed from an axis only where its scores are clear of chance and of the ceiling.
bool MayHaveEvidence(const WindowEstimate& window);

}  // namespace couplingd
