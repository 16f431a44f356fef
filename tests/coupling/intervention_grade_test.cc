#include "coupling/intervention_grade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace couplingd {
namespace {

using ::testing::HasSubstr;

CouplingEstimate Estimate(double at, double gamma, double half, Phase phase = Phase::kTax) {
  return {.family = "web",
          .run = "web-1b",
          .axes = "a.acc,b.acc",
          .at = at,
          .gamma = gamma,
          .low = gamma - half,
          .high = gamma + half,
          .phase = phase,
          .n = 8};
}

const Intervention kCurate{.kind = "curate"};

TEST(InterventionGrade, HoldsWhereGammaRoseBeyondBothIntervals) {
  const auto grade =
      GradeIntervention(kCurate, Estimate(1000, -0.4, 0.1),
                        {.newest = Estimate(3000, 0.1, 0.1, Phase::kTransition), .places = 8});
  EXPECT_EQ(grade.verdict, GradeVerdict::kHolds);
  EXPECT_NEAR(*grade.change, 0.5, 1e-12);
  EXPECT_NEAR(*grade.low, 0.5 - std::hypot(0.1, 0.1), 1e-12);
  EXPECT_THAT(grade.reason, HasSubstr("does not say that it was caused"));
}

TEST(InterventionGrade, DoesNotHoldWhereGammaFell) {
  const auto grade = GradeIntervention(kCurate, Estimate(1000, -0.4, 0.1),
                                       {.newest = Estimate(3000, -0.9, 0.1), .places = 9});
  EXPECT_EQ(grade.verdict, GradeVerdict::kDoesNotHold);
}

TEST(InterventionGrade, IsUndeterminedWithinTheIntervals) {
  const auto grade = GradeIntervention(kCurate, Estimate(1000, -0.4, 0.3),
                                       {.newest = Estimate(3000, -0.2, 0.3), .places = 8});
  EXPECT_EQ(grade.verdict, GradeVerdict::kUndetermined);
  EXPECT_THAT(grade.reason, HasSubstr("holds 0"));
}

TEST(InterventionGrade, IsUndeterminedWhileTheWindowsShareCheckpoints) {
  const auto grade = GradeIntervention(kCurate, Estimate(1000, -0.4, 0.1),
                                       {.newest = Estimate(1600, 0.4, 0.1), .places = 3});
  EXPECT_EQ(grade.verdict, GradeVerdict::kUndetermined);
  EXPECT_THAT(grade.reason, HasSubstr("holds 5 from before the alert"));
  EXPECT_FALSE(grade.change);
}

TEST(InterventionGrade, AnUnboundedIntervalGivesAnOpenEnd) {
  CouplingEstimate before = Estimate(1000, -0.4, 0.1);
  before.low = -INFINITY;
  const auto grade =
      GradeIntervention(kCurate, before, {.newest = Estimate(3000, 0.3, 0.1), .places = 8});
  EXPECT_EQ(grade.verdict, GradeVerdict::kHolds);  // it was at most -0.3
  EXPECT_FALSE(grade.high);
}

TEST(InterventionGrade, SaysWhatIsMissing) {
  EXPECT_THAT(GradeIntervention(kCurate, Estimate(1000, -0.4, 0.1), {}).reason,
              HasSubstr("no estimate of γ since"));
  EXPECT_THAT(GradeIntervention(kCurate, std::nullopt, {}).reason, HasSubstr("no γ"));
  EXPECT_THAT(GradeIntervention({.kind = "widen"}, Estimate(1000, -0.4, 0.1),
                                {.newest = Estimate(3000, 0.4, 0.1), .places = 8})
                  .reason,
              HasSubstr("another run"));
  CouplingEstimate family = Estimate(1e9, -0.4, 0.1);
  family.over = CouplingOver::kScale;
  EXPECT_THAT(GradeIntervention({.kind = "widen"}, family, {}).reason, HasSubstr("no larger size"));
}

TEST(InterventionGrade, ALargerSizeGradesWidening) {
  CouplingEstimate before = Estimate(1e9, -0.4, 0.1), now = Estimate(7e9, 0.2, 0.1);
  before.over = now.over = CouplingOver::kScale;
  const auto grade = GradeIntervention({.kind = "widen"}, before, {.newest = now, .places = 1});
  EXPECT_EQ(grade.verdict, GradeVerdict::kHolds);
}

TEST(InterventionGrade, ARotationHoldsWhereAnotherPairTellsAPhase) {
  const Intervention rotate{.kind = "rotate"};
  const CouplingEstimate vague = Estimate(3000, 0.1, 2, Phase::kUndetermined);
  EXPECT_EQ(GradeIntervention(rotate, std::nullopt, {}).verdict, GradeVerdict::kUndetermined);
  EXPECT_EQ(GradeIntervention(rotate, std::nullopt, {.other_pairs = {vague}}).verdict,
            GradeVerdict::kDoesNotHold);
  EXPECT_EQ(GradeIntervention(rotate, std::nullopt,
                              {.other_pairs = {vague, Estimate(3000, 0.6, 0.1, Phase::kBonus)}})
                .verdict,
            GradeVerdict::kHolds);
}

TEST(InterventionGrade, AnInvestigationHoldsOnceThePhaseIsTold) {
  const Intervention investigate{.kind = "investigate"};
  const auto before = Estimate(1000, -0.4, 1, Phase::kUndetermined);
  EXPECT_EQ(GradeIntervention(investigate, before, {}).verdict, GradeVerdict::kUndetermined);
  EXPECT_EQ(GradeIntervention(investigate, before, {.newest = before}).verdict,
            GradeVerdict::kUndetermined);
  EXPECT_EQ(GradeIntervention(investigate, before, {.newest = Estimate(2000, -0.4, 0.1)}).verdict,
            GradeVerdict::kHolds);
}

}  // namespace
}  // namespace couplingd
