#include "coupling/interventions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

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

CouplingDiagnostics Moved(double reasoning, double truthfulness) {
  CouplingDiagnostics seen;
  seen.reasoning = {.change = reasoning, .standard_error = 0.01, .critical = 2};
  seen.truthfulness = {.change = truthfulness, .standard_error = 0.01, .critical = 2};
  return seen;
}

TEST(Interventions, RotationNamesTheTrackedPairWithMostSignal) {
  CouplingEstimate estimate = Tax();
  estimate.phase = Phase::kUndetermined;
  CouplingDiagnostics at_ceiling = Moved(0.2, 0.1);
  at_ceiling.reasoning.is_at_ceiling = true;
  const auto suggestions = SuggestInterventions(estimate, std::nullopt,
                                                {.diagnostics = at_ceiling,
                                                 .pairs = {{"a.acc,b.acc", Moved(0.3, 0.01)},
                                                           {"c.acc,d.acc", Moved(0.08, -0.05)},
                                                           {"e.acc,f.acc", at_ceiling}}});
  ASSERT_EQ(suggestions.size(), 1u);
  EXPECT_THAT(suggestions[0].action, HasSubstr("c.acc,d.acc has signal left"));
  EXPECT_EQ(suggestions[0].evidence.size(), 3u);
  ASSERT_TRUE(suggestions[0].expected);
  EXPECT_DOUBLE_EQ(*suggestions[0].expected->value, 2.5);  // 0.05 / (2 · 0.01)
}

TEST(Interventions, RotationSaysWhereNoTrackedPairHasSignal) {
  CouplingEstimate estimate = Tax();
  estimate.phase = Phase::kUndetermined;
  CouplingDiagnostics at_chance;
  at_chance.reasoning.is_near_chance = true;
  const auto suggestions = SuggestInterventions(
      estimate, std::nullopt,
      {.diagnostics = at_chance, .pairs = {{"a.acc,b.acc", Moved(0.3, 0.01)}}});
  ASSERT_EQ(suggestions.size(), 1u);
  EXPECT_THAT(suggestions[0].action, HasSubstr("None of the other pairs"));
  EXPECT_FALSE(suggestions[0].expected->value);
}

// Δγ = 0.42 + 0.30 with ends by hypot (Zou and Donner): √(0.2² + 0.22²), √(0.1² + 0.18²).
TEST(Interventions, ARecipeIsTakenOnlyFromAPeerBeyondBothIntervals) {
  const PeerRun better{"curated-1b", "curated", 0.30, 0.10, 0.40, 2e10};
  const PeerRun unclear{"other-1b", "other", 0.30, -1.2, 0.90, 2e10};
  const auto kinds = [](const std::vector<Intervention>& all) {
    std::vector<std::string> kinds;
    for (const Intervention& one : all) kinds.push_back(one.kind);
    return kinds;
  };
  CouplingEstimate estimate = Tax();
  estimate.run = "web-1b";
  EXPECT_THAT(kinds(SuggestInterventions(estimate, std::nullopt, {.peers = {unclear}})),
              ::testing::ElementsAre("curate"));
  const auto suggestions =
      SuggestInterventions(estimate, std::nullopt, {.peers = {unclear, better}});
  ASSERT_THAT(kinds(suggestions), ::testing::ElementsAre("curate", "recipe"));
  const Intervention& recipe = suggestions[1];
  EXPECT_THAT(recipe.action, HasSubstr("curated-1b"));
  EXPECT_NEAR(*recipe.expected->value, 0.72, 1e-12);
  EXPECT_NEAR(*recipe.expected->low, 0.72 - std::hypot(0.20, 0.22), 1e-12);
  EXPECT_NEAR(*recipe.expected->high, 0.72 + std::hypot(0.10, 0.18), 1e-12);
  EXPECT_THAT(recipe.evidence[0], HasSubstr("1 of 2 runs"));
}

TEST(Interventions, TheReferencePanelGivesEffectWidthAndEquivalence) {
  const auto reference = ShippedReference({.replicates = 500});
  ASSERT_TRUE(reference) << reference.error().Text();
  CouplingEstimate estimate = Tax();
  estimate.over = CouplingOver::kScale;
  const auto suggestions = SuggestInterventions(
      estimate, CriticalScale(), {.parameters = 1e9, .d_model = 300, .reference = &*reference});
  ASSERT_EQ(suggestions.size(), 2u);
  const Intervention& curate = suggestions[0];
  EXPECT_NEAR(*curate.expected->value, reference->contrast.difference, 1e-12);
  EXPECT_LT(*curate.expected->low, *curate.expected->value);
  ASSERT_EQ(curate.evidence.size(), 1u);
  EXPECT_THAT(curate.evidence[0], HasSubstr("web-trained families"));
  EXPECT_FALSE(curate.preconditions.empty());
  EXPECT_FALSE(curate.against.empty());
  EXPECT_THAT(suggestions[1].evidence[0], HasSubstr("this one has 300, narrower than they are"));
  EXPECT_DOUBLE_EQ(*suggestions[1].expected->low, 0.2);
  estimate.axes = "arc.acc,truthfulqa_mc2.acc";  // the panel has other axes
  const auto others = SuggestInterventions(estimate, CriticalScale(),
                                           {.parameters = 1e9, .reference = &*reference});
  EXPECT_TRUE(others[0].evidence.empty());
  EXPECT_FALSE(others[0].expected->value);
}

TEST(Interventions, AnEquivalenceIsUndeterminedWhereGammaMayBeZero) {
  const auto reference = ShippedReference({.replicates = 500});
  ASSERT_TRUE(reference);
  CouplingEstimate estimate = Tax();
  estimate.over = CouplingOver::kScale;
  estimate.high = 0.05;
  const auto suggestions =
      SuggestInterventions(estimate, std::nullopt, {.parameters = 1e9, .reference = &*reference});
  EXPECT_THAT(suggestions[0].evidence[0], HasSubstr("is undetermined"));
}

TEST(ReferencePanel, WidthsGrowWithSize) {
  const auto reference = ShippedReference({.replicates = 200});
  ASSERT_TRUE(reference);
  const ReferenceWidth small = WidthAt(*reference, 1e9), large = WidthAt(*reference, 30e9);
  EXPECT_LT(small.low, 2048);  // Pythia-1B, OPT-1.3B, BLOOM-1.1B have 1536 to 2048
  EXPECT_GT(small.high, 2048);
  EXPECT_GT(large.width, 2 * small.width);
}

TEST(Interventions, ABonusCallsForNothing) {
  CouplingEstimate estimate = Tax();
  estimate.phase = Phase::kBonus;
  EXPECT_TRUE(SuggestInterventions(estimate, CriticalScale(), {.parameters = 1e9}).empty());
}

}  // namespace
}  // namespace couplingd
