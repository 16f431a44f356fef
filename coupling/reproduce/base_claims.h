// The claims about the base panel, one function per row of the registry in base_rows.cc.
#pragma once

#include "coupling/reproduce/reproduce.h"

namespace couplingd {

using Claim = Result<std::vector<ReproducedRow>>;

// correlation_claims.cc: correlations and couplings between scores.
Claim PythiaCorrelation(const PublishedData& data, const ReproduceOptions& options);     // 1
Claim BasePanelCorrelation(const PublishedData& data, const ReproduceOptions& options);  // 32
Claim SignChange(const PublishedData& data, const ReproduceOptions& options);            // 33
Claim OlmoCoupling(const PublishedData& data, const ReproduceOptions& options);          // 34
Claim OtherPairs(const PublishedData& data, const ReproduceOptions& options);            // 39

// scale_claims.cc: where the coupling changes sign.
Claim TurnOfTheFourteen(const PublishedData& data, const ReproduceOptions& options);    // 2
Claim LineOverTheFourteen(const PublishedData& data, const ReproduceOptions& options);  // 3

// fit_claims.cc: curves through scores and losses.
Claim OdeInSample(const PublishedData& data, const ReproduceOptions& options);    // 4
Claim HeldOutLlama2(const PublishedData& data, const ReproduceOptions& options);  // 5
Claim LossBlind(const PublishedData& data, const ReproduceOptions& options);      // 35

// structure_claims.cc: eigenvalues, and scores over width.
Claim WidthNormalisation(const PublishedData& data, const ReproduceOptions& options);  // 6
Claim PythiaEigenvalues(const PublishedData& data, const ReproduceOptions& options);   // 7

}  // namespace couplingd
