#include "coupling/interventions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace couplingd {
namespace {

using ::testing::HasSubstr;

CouplingEstimate Tax() {
  return {.family = "web",
          .axes = "hellaswag.acc_norm,truthfulqa_mc2.acc",
          .gamma = -0.42,
          .low = -0.6,
          .high = -0.2,
          .phase = Phase::kTax,
          .n = 8};
}

Forecast CriticalScale() {
  return {.family = "web",
          .quantity = "N_c",
          .method = "u-shape",
          .value = 3.5e9,
          .low = 2.9e9,
          .high = 13.4e9,
          .p_crossing = 0.97,
          .n = 8};
}

TEST(CurationDose, IsThePublishedHeuristic) {
  EXPECT_NEAR(*CurationDose(1e9, 3.5e9), 0.6, 1e-12);
  EXPECT_NEAR(*CurationDose(3e9, 3.5e9), 0.05, 0.005);
  EXPECT_EQ(*CurationDose(70e6, 50e9), 1);
  EXPECT_FALSE(CurationDose(4e9, 3.5e9));
  EXPECT_FALSE(CurationDose(2e4, 3e4));
}

TEST(Interventions, ATaxCallsForCurationWithItsNumbers) {
  const auto suggestions =
      SuggestInterventions(Tax(), CriticalScale(), {.parameters = 1e9, .d_model = 2048});
  ASSERT_EQ(suggestions.size(), 2u);
  EXPECT_EQ(suggestions[0].kind, "curate");
  EXPECT_THAT(suggestions[0].reason, HasSubstr("γ = -0.42 [-0.60, -0.20]"));
  EXPECT_THAT(suggestions[0].reason, HasSubstr("heuristic dose"));
  EXPECT_THAT(suggestions[0].reason, HasSubstr("about 60 %"));
  EXPECT_EQ(suggestions[1].kind, "widen");
  EXPECT_THAT(suggestions[1].action, HasSubstr("d_model 3840"));  // 2048·√3.5, rounded up to 64
  EXPECT_THAT(suggestions[1].reason, HasSubstr("width normalisation alone"));
  EXPECT_THAT(suggestions[1].reason, HasSubstr("[2.9B, 13.4B]"));
}

TEST(Interventions, NoDoseAndNoWidthWithoutAForecast) {
  const auto suggestions = SuggestInterventions(Tax(), std::nullopt, {.parameters = 1e9});
  ASSERT_EQ(suggestions.size(), 1u);
  EXPECT_THAT(suggestions[0].reason, HasSubstr("no dose is given"));
}

TEST(Interventions, ASaturatedAxisCallsForRotation) {
  CouplingEstimate estimate = Tax();
  estimate.phase = Phase::kUndetermined;
  estimate.reason = "reasoning is within noise of its ceiling at every checkpoint of the window";
  CouplingDiagnostics seen;
  seen.reasoning.is_at_ceiling = true;
  seen.truthfulness = {.change = 0.05, .standard_error = 0.01};
  const auto suggestions = SuggestInterventions(estimate, std::nullopt, {.diagnostics = seen});
  ASSERT_EQ(suggestions.size(), 1u);
  EXPECT_EQ(suggestions[0].kind, "rotate");
  EXPECT_THAT(suggestions[0].action, HasSubstr("hellaswag.acc_norm"));
  EXPECT_THAT(suggestions[0].reason,
              HasSubstr("truthfulness moved by +5.0 points (5.0 standard errors)"));
}

TEST(Interventions, UndeterminedCallsForWhatWouldSettleIt) {
  CouplingEstimate estimate = Tax();
  estimate.phase = Phase::kUndetermined;
  estimate.reason = "about 900 items per axis (now 400) would settle it";
  const auto suggestions = SuggestInterventions(estimate, std::nullopt, {});
  ASSERT_EQ(suggestions.size(), 1u);
  EXPECT_EQ(suggestions[0].kind, "investigate");
  EXPECT_EQ(suggestions[0].reason, estimate.reason);
}

TEST(Interventions, ABonusCallsForNothing) {
  CouplingEstimate estimate = Tax();
  estimate.phase = Phase::kBonus;
  EXPECT_TRUE(SuggestInterventions(estimate, CriticalScale(), {.parameters = 1e9}).empty());
}

}  // namespace
}  // namespace couplingd
