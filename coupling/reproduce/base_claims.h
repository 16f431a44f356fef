// The claims about the base panel, one function per row of the registry in base_rows.cc.
#pragma once

#include "coupling/reproduce/reproduce.h"

namespace couplingd {

using Claim = Result<std::vector<ReproducedRow>>;

// scale_claims.cc: where the coupling changes sign.
Claim TurnOfTheFourteen(const PublishedData& data, const ReproduceOptions& options);    // 2
Claim LineOverTheFourteen(const PublishedData& data, const ReproduceOptions& options);  // 3

// correlation_claims.cc
Claim PythiaCorrelation(const PublishedData& data, const ReproduceOptions& options);  // 1

}  // namespace couplingd
