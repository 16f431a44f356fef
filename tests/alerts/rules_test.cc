#include "alerts/rules.h"

#include <gtest/gtest.h>

#include <limits>

#include "alerts/false_alarms.h"
#include "config/tables.h"
#include "tests/alerts/rule_cases.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
CouplingEstimate Estimate(double at, double gamma, double low, double high, Phase phase,
                          double p_tax, double p_bonus) {
  CouplingEstimate estimate;
  estimate.family = "pythia";
  estimate.run = "pythia-1b";
  estimate.axes = kAxes;
  estimate.at = at;
  estimate.tokens = at * 2e6;
  estimate.gamma = gamma;
  estimate.low = low;
  estimate.high = high;
  estimate.phase = phase;
  estimate.p_tax = p_tax;
  estimate.p_bonus = p_bonus;
  estimate.method = "york+item-bootstrap";
  estimate.n = 8;
  return estimate;
}
CouplingEstimate With(CouplingEstimate estimate, const PhaseEvidence& evidence) {
  estimate.evidence = evidence;
  return estimate;
}
CouplingEstimate Tax(double at) {
  return With(Estimate(at, -0.32, -0.45, -0.18, Phase::kTax, 0.992, 0.0), {1e-8, 4e-7, 1, 1e-9, 1});
}
CouplingEstimate Bonus(double at) {
  return With(Estimate(at, 0.4, 0.2, 0.6, Phase::kBonus, 0, 0.99), {1e-8, 1, 1e-9, 1, 2e-7});
}
CouplingEstimate Unclear(double at) {
  return With(Estimate(at, -0.1, -0.4, 0.3, Phase::kUndetermined, 0.5, 0.2),
              {1e-8, 0.4, 0.6, 0.03, 0.97});
}
CouplingEstimate OverSizes(CouplingEstimate estimate) {
  estimate.over = CouplingOver::kScale;
  estimate.run.clear();
  return estimate;
}

RuleConfig PhaseRule(int hold = 1, const char* phase = "tax") {
  return {.name = "tax", .kind = "phase", .phase = phase, .hold = hold};
}

TEST(RuleKinds, AreThoseOfTheDefaultConfiguration) {
  std::vector<std::string_view> kinds;
  const std::vector<RuleConfig> defaults = DefaultRules();
  for (const RuleConfig& rule : defaults) kinds.push_back(rule.kind);
  EXPECT_EQ(RuleKinds(), kinds);
}

TEST(PhaseRule, HoldsWhereTheNewestEstimateIsInThePhase) {
  RuleInputs inputs = Inputs();
  inputs.couplings = {Tax(8000), Bonus(4000)};
  inputs.advise_coupling = [](const CouplingEstimate& estimate) {
    return std::vector<Intervention>{{"curate", "Curate.", std::to_string(estimate.n)}};
  };
  const auto findings = Evaluate(PhaseRule(), inputs);
  ASSERT_EQ(findings.size(), 1u);
  const Finding& finding = findings[0];
  EXPECT_TRUE(finding.active);
  EXPECT_EQ(finding.run, "pythia-1b");
  EXPECT_EQ(finding.subject, std::string(kAxes) + ",steps");
  EXPECT_EQ(finding.summary,
            "pythia-1b: truthfulqa_mc2.acc falls as hellaswag.acc_norm improves (tax phase), γ = "
            "-0.32");
  EXPECT_EQ(finding.description,
            "γ = -0.32 at step 8000 (16B tokens), 95 % interval [-0.45, -0.18] "
            "(york+item-bootstrap, 8 checkpoints). Were γ not below -0.1, noise alone would look "
            "like this at 1 in 2.5M checkpoints; the rule asks for 1 in 3k here, which keeps "
            "false alarms to 1 % per 1000 checkpoints of a run.");
  EXPECT_EQ(finding.labels.at("axes"), kAxes);
  EXPECT_EQ(finding.labels.at("over"), "steps");
  EXPECT_DOUBLE_EQ(finding.values.at("gamma"), -0.32);
  EXPECT_DOUBLE_EQ(finding.values.at("probability"), 0.992);
  EXPECT_DOUBLE_EQ(finding.values.at("p_value"), 4e-7);
  ASSERT_EQ(finding.interventions.size(), 1u);
  EXPECT_EQ(finding.interventions[0].reason, "8");
}

TEST(PhaseRule, SaysNothingWhereTheCouplingIsUndetermined) {
  RuleInputs inputs = Inputs();
  inputs.couplings = {Tax(4000), Unclear(8000)};
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
  inputs.couplings.back().gamma.reset();
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
}

TEST(PhaseRule, AsksForEvidenceThatItsFalseAlarmRateAllows) {
  RuleInputs inputs = Inputs();
  inputs.couplings = {Tax(8000)};
  RuleConfig rule = PhaseRule();
  const double level = LookLevel(rule.false_alarm_rate, 1);
  inputs.couplings[0].evidence->below_tax = level * 0.999;
  EXPECT_EQ(Evaluate(rule, inputs).size(), 1u);
  inputs.couplings[0].evidence->below_tax = level * 1.001;
  EXPECT_TRUE(Evaluate(rule, inputs).empty());
  rule.false_alarm_rate = 0.02;
  EXPECT_EQ(Evaluate(rule, inputs).size(), 1u);
  rule.margin = 0.5;
  EXPECT_TRUE(Evaluate(rule, inputs).empty());
}

TEST(PhaseRule, AsksForMoreTheMoreOftenItHasLooked) {
  RuleInputs inputs = Inputs();
  inputs.couplings = {Tax(8000)};
  inputs.couplings[0].evidence->below_tax = 5e-5;
  EXPECT_EQ(Evaluate(PhaseRule(), inputs).size(), 1u);
  for (int at = 100; at < 2100; at += 100) inputs.couplings.push_back(Unclear(at));
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
  // What carries no evidence was no look.
  for (CouplingEstimate& estimate : inputs.couplings) {
    if (estimate.at < 8000) estimate.evidence.reset();
  }
  EXPECT_EQ(Evaluate(PhaseRule(), inputs).size(), 1u);
}

TEST(PhaseRule, SaysNothingWithoutEvidenceWhateverThePhaseSeemsToBe) {
  RuleInputs inputs = Inputs();
  inputs.couplings = {Tax(8000)};
  inputs.couplings[0].evidence.reset();
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
  inputs.couplings = {Bonus(8000)};
  inputs.couplings[0].evidence.reset();
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
}

TEST(PhaseRule, IsExcludedOnlyByEvidenceThatTheCouplingLiesOutsideThePhase) {
  RuleInputs inputs = Inputs();
  inputs.couplings = {Bonus(8000)};
  auto findings = Evaluate(PhaseRule(), inputs);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_FALSE(findings[0].active);
  EXPECT_NE(findings[0].summary.find("γ = 0.40"), std::string::npos);
  EXPECT_NE(findings[0].summary.find("Were γ still below -0.1, noise alone would look like this "
                                     "at 1 in 1B checkpoints"),
            std::string::npos)
      << findings[0].summary;
  // An interval that only lies outside by its own level does not end an alert.
  inputs.couplings = {With(Estimate(8000, 0.1, -0.05, 0.3, Phase::kUndetermined, 0.0, 0.6),
                           {1e-8, 0.99, 0.01, 0.7, 0.3})};
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
}

TEST(PhaseRule, ClaimsAPhaseOnlyWhileReasoningImprovesAndEndsItWithoutThat) {
  RuleInputs inputs = Inputs();
  inputs.couplings = {Tax(8000)};
  inputs.couplings[0].evidence->reasoning_rises = 0.02;
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
  inputs.couplings = {Bonus(8000)};
  inputs.couplings[0].evidence->reasoning_rises = 0.02;
  ASSERT_EQ(Evaluate(PhaseRule(), inputs).size(), 1u);
  EXPECT_FALSE(Evaluate(PhaseRule(), inputs)[0].active);
}

TEST(PhaseRule, NeedsEvidenceOnBothSidesForATransitionAndOnOneToLeaveIt) {
  RuleInputs inputs = Inputs();
  const RuleConfig rule = PhaseRule(1, "transition");
  inputs.couplings = {
      With(Estimate(8000, 0, -0.02, 0.02, Phase::kTransition, 0, 0), {1e-8, 1, 1e-8, 1e-8, 1})};
  ASSERT_EQ(Evaluate(rule, inputs).size(), 1u);
  EXPECT_TRUE(Evaluate(rule, inputs)[0].active);
  inputs.couplings[0].evidence->below_bonus = 0.01;
  EXPECT_TRUE(Evaluate(rule, inputs).empty());
  inputs.couplings = {Tax(8000)};
  ASSERT_EQ(Evaluate(rule, inputs).size(), 1u);
  EXPECT_FALSE(Evaluate(rule, inputs)[0].active);
}

TEST(PhaseRule, HoldsOnlyAfterAsManyInARowAsItsHoldAsks) {
  RuleInputs inputs = Inputs();
  inputs.couplings = {Tax(2000), Tax(3000)};
  EXPECT_TRUE(Evaluate(PhaseRule(3), inputs).empty());
  inputs.couplings.push_back(Unclear(3500));
  inputs.couplings.push_back(Tax(4000));
  EXPECT_TRUE(Evaluate(PhaseRule(3), inputs).empty());
  inputs.couplings.push_back(Tax(5000));
  inputs.couplings.push_back(Tax(6000));
  ASSERT_EQ(Evaluate(PhaseRule(3), inputs).size(), 1u);
  EXPECT_TRUE(Evaluate(PhaseRule(3), inputs)[0].active);
  inputs.couplings.push_back(Bonus(7000));
  inputs.couplings.push_back(Bonus(8000));
  EXPECT_TRUE(Evaluate(PhaseRule(3), inputs).empty());
  inputs.couplings.push_back(Bonus(9000));
  ASSERT_EQ(Evaluate(PhaseRule(3), inputs).size(), 1u);
  EXPECT_FALSE(Evaluate(PhaseRule(3), inputs)[0].active);
}

TEST(PhaseRule, HoldsTheSameRateForFamiliesAndSaysNothingOfThemWithoutEvidence) {
  RuleInputs inputs = Inputs();
  inputs.couplings = {OverSizes(Tax(1e9))};
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs)[0].active);
  inputs.couplings[0].evidence->below_tax = 1e-3;  // the first look has 7e-4
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
  inputs.couplings[0].evidence.reset();
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
  inputs.couplings = {OverSizes(Bonus(1e9))};
  ASSERT_EQ(Evaluate(PhaseRule(), inputs).size(), 1u);
  EXPECT_FALSE(Evaluate(PhaseRule(), inputs)[0].active);
}

TEST(PhaseRule, CountsWhatWasReplacedAsLooks) {
  RuleInputs inputs = Inputs();
  inputs.couplings = {OverSizes(Tax(1e9))};
  inputs.couplings[0].evidence->below_tax = 5e-5;
  EXPECT_EQ(Evaluate(PhaseRule(), inputs).size(), 1u);
  LookCount count{.family = "pythia", .axes = kAxes, .over = CouplingOver::kScale, .looks = 20};
  inputs.looks = {count};
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
  inputs.looks[0].family = "another";
  EXPECT_EQ(Evaluate(PhaseRule(), inputs).size(), 1u);
  inputs.couplings = {Tax(8000)};
  inputs.couplings[0].evidence->below_tax = 5e-5;
  inputs.looks = {count};
  EXPECT_EQ(Evaluate(PhaseRule(), inputs).size(), 1u);
  count.run = "pythia-1b";
  count.over = CouplingOver::kSteps;
  inputs.looks = {count};
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
}

TEST(PhaseRule, FollowsTheLiveGenerationAndConfiguredAxesAndListedRunsOnly) {
  RuleInputs inputs = Inputs();
  inputs.couplings = {Tax(8000)};
  inputs.runs[0].generation = 2;
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
  inputs.couplings[0].generation = 2;
  EXPECT_EQ(Evaluate(PhaseRule(), inputs).size(), 1u);
  RuleConfig other = PhaseRule();
  other.axes = "other";
  EXPECT_TRUE(Evaluate(other, inputs).empty());
  inputs.couplings[0].run = "imported";
  EXPECT_TRUE(Evaluate(PhaseRule(), inputs).empty());
}

TEST(PhaseRule, LooksAtFamiliesOverScale) {
  RuleInputs inputs = Inputs();
  inputs.couplings = {OverSizes(Tax(1e9))};
  inputs.couplings[0].low = -kInfinity;
  const auto findings = Evaluate(PhaseRule(), inputs);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].run, "pythia");
  EXPECT_EQ(findings[0].subject, std::string(kAxes) + ",scale");
  EXPECT_FALSE(findings[0].labels.contains("run"));
  EXPECT_FALSE(findings[0].values.contains("low"));
  EXPECT_NE(findings[0].description.find("at 1B parameters, 95 % interval [-∞, -0.18]"),
            std::string::npos);
}

Forecast ForecastBy(const std::string& method, std::optional<double> p,
                    std::optional<double> value) {
  Forecast forecast;
  forecast.family = "pythia";
  forecast.axes = kAxes;
  forecast.quantity = "N_c";
  forecast.method = method;
  forecast.value = value;
  if (value) {
    forecast.low = *value / 2;
    forecast.high = *value * 2;
  }
  forecast.p_crossing = p;
  forecast.n = 8;
  return forecast;
}

const RuleConfig kSignChange = {.name = "flip", .kind = "sign_change"};

TEST(SignChangeRule, HoldsWhereMostMethodsSeeACrossingWithinTheHorizon) {
  RuleInputs inputs = Inputs();
  inputs.largest_parameters["pythia"] = 12e9;
  inputs.forecasts = {ForecastBy("line", 0.97, 3.4e10), ForecastBy("u-shape", 0.5, 1e10),
                      ForecastBy("ode", 0.99, 5e10), ForecastBy("spline", std::nullopt, 1e10)};
  const auto findings = Evaluate(kSignChange, inputs);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_TRUE(findings[0].active);
  EXPECT_EQ(findings[0].subject, std::string(kAxes) + ",N_c");
  EXPECT_NE(findings[0].summary.find("is forecast to change sign at N_c = 34B parameters"),
            std::string::npos)
      << findings[0].summary;
  EXPECT_NE(findings[0].description.find("2 of 3 methods"), std::string::npos);
  EXPECT_NE(findings[0].description.find("P(crossing) = 97.0 %"), std::string::npos);
  EXPECT_NE(findings[0].description.find("u-shape"), std::string::npos);
}

TEST(SignChangeRule, SaysNothingWhereMethodsDisagreeOrAreUnsure) {
  RuleInputs inputs = Inputs();
  inputs.largest_parameters["pythia"] = 12e9;
  inputs.forecasts = {ForecastBy("line", 0.97, 3.4e10), ForecastBy("ode", 0.01, std::nullopt)};
  EXPECT_TRUE(Evaluate(kSignChange, inputs).empty());
  inputs.forecasts = {ForecastBy("line", 0.6, 3.4e10)};
  EXPECT_TRUE(Evaluate(kSignChange, inputs).empty());
  inputs.forecasts = {ForecastBy("line", std::nullopt, std::nullopt)};
  EXPECT_TRUE(Evaluate(kSignChange, inputs).empty());
}

TEST(SignChangeRule, IsExcludedWhereMostAreSureThatThereIsNoneOrThatItIsFarAway) {
  RuleInputs inputs = Inputs();
  inputs.largest_parameters["pythia"] = 12e9;
  inputs.forecasts = {ForecastBy("line", 0.02, std::nullopt)};
  ASSERT_EQ(Evaluate(kSignChange, inputs).size(), 1u);
  EXPECT_FALSE(Evaluate(kSignChange, inputs)[0].active);
  for (const double value : {121e9, 1.1e9}) {
    inputs.forecasts = {ForecastBy("line", 0.99, value)};
    ASSERT_EQ(Evaluate(kSignChange, inputs).size(), 1u);
    EXPECT_FALSE(Evaluate(kSignChange, inputs)[0].active) << value;
  }
}

TEST(SignChangeRule, MeasuresARunInTokensAndNeedsToKnowThem) {
  RuleInputs inputs = Inputs();
  inputs.forecasts = {ForecastBy("line", 0.99, 4e9)};
  inputs.forecasts[0].run = "pythia-1b";
  inputs.forecasts[0].quantity = "D_c";
  EXPECT_TRUE(Evaluate(kSignChange, inputs).empty());
  inputs.latest_tokens["pythia-1b"] = 5e9;
  const auto findings = Evaluate(kSignChange, inputs);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_NE(findings[0].summary.find("changes sign at D_c = 4B tokens"), std::string::npos);
}

}  // namespace
}  // namespace couplingd
