// The claims about levers, internals and the frontier, one function per row of the registry in
// lever_rows.cc.
#pragma once

#include "coupling/reproduce/reproduce.h"

namespace couplingd {

using Claim = Result<std::vector<ReproducedRow>>;

// frontier_claims.cc and frontier_lab_claims.cc
Claim FrontierLine(const PublishedData& data, const ReproduceOptions& options);         // 8
Claim FrontierHoldout(const PublishedData& data, const ReproduceOptions& options);      // 9
Claim RotationTrigger(const PublishedData& data, const ReproduceOptions& options);      // 23
Claim FrontierCorrelation(const PublishedData& data, const ReproduceOptions& options);  // 24
Claim LabFields(const PublishedData& data, const ReproduceOptions& options);            // 25
Claim LaterFrontier(const PublishedData& data, const ReproduceOptions& options);        // 26
Claim FrontierTriple(const PublishedData& data, const ReproduceOptions& options);       // 27

// phase_claims.cc
Claim PhaseDimensions(const PublishedData& data, const ReproduceOptions& options);  // 10
Claim IsoclineHits(const PublishedData& data, const ReproduceOptions& options);     // 11

// recipe_claims.cc
Claim PhiEquivalence(const PublishedData& data, const ReproduceOptions& options);    // 12
Claim QwenGenerations(const PublishedData& data, const ReproduceOptions& options);   // 13
Claim QwenSevenToEight(const PublishedData& data, const ReproduceOptions& options);  // 14
Claim GemmaEquivalence(const PublishedData& data, const ReproduceOptions& options);  // 15
Claim RecipeAsLever(const PublishedData& data, const ReproduceOptions& options);     // 16

// internal_claims.cc and output_claims.cc
Claim CompetingHeads(const PublishedData& data, const ReproduceOptions& options);      // 17
Claim OutputBottleneck(const PublishedData& data, const ReproduceOptions& options);    // 18
Claim WiderProjection(const PublishedData& data, const ReproduceOptions& options);     // 19
Claim AttentionCoupling(const PublishedData& data, const ReproduceOptions& options);   // 20
Claim SecondTransition(const PublishedData& data, const ReproduceOptions& options);    // 21
Claim CouplingFixedPoint(const PublishedData& data, const ReproduceOptions& options);  // 22
Claim SteeringTrend(const PublishedData& data, const ReproduceOptions& options);       // 28

// ode_claims.cc
Claim PhaseRateJump(const PublishedData& data, const ReproduceOptions& options);  // 29
Claim PhaseRotation(const PublishedData& data, const ReproduceOptions& options);  // 30
Claim RankOneChange(const PublishedData& data, const ReproduceOptions& options);  // 31

// typed_claims.cc
Claim GradientScaling(const PublishedData& data, const ReproduceOptions& options);  // 36
Claim SoftMode(const PublishedData& data, const ReproduceOptions& options);         // 37
Claim LockedSlope(const PublishedData& data, const ReproduceOptions& options);      // 38

// One standard error of a TruthfulQA MC2 score, for panels that state none: what
// lm-evaluation-harness printed as mc2_stderr for base models of these sizes (0.0142 to 0.0151,
// 817 questions). A HellaSwag score has that of a share of 10,042.
inline constexpr double kMc2StandardError = 0.0144;
// Standard error of (t2 − t1)/(h2 − h1) with those, the two models independent.
double CouplingStandardError(double hellaswag1, double truthfulqa1, double hellaswag2,
                             double truthfulqa2);

}  // namespace couplingd
