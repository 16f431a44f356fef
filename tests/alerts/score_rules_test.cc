// Rules about scores: score_regression, axis_spent, dimension_collapse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alerts/false_alarms.h"
#include "alerts/lifecycle.h"
#include "alerts/rules.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

constexpr char kReasoning[] = "hellaswag.acc_norm";
constexpr char kTruthfulness[] = "truthfulqa_mc2.acc";

RuleInputs Inputs() {
  RuleInputs inputs;
  WatchedRun run;
  run.name = "pythia-1b";
  run.family = "pythia";
  inputs.runs = {run};
  inputs.axes = {{"default", {"hellaswag", "acc_norm"}, {"truthfulqa_mc2", "acc"}}};
  return inputs;
}

ScoreDrop Drop(std::int64_t step, double drop, double error = 0.006) {
  ScoreDrop seen;
  seen.family = "pythia";
  seen.run = "pythia-1b";
  seen.metric = kReasoning;
  seen.step = step;
  seen.best = 0.60;
  seen.best_from = 4000;
  seen.best_to = 6000;
  seen.value = seen.best - drop;
  seen.drop = drop;
  seen.standard_error = error;
  seen.items = 1000;
  seen.candidates = 8;
  seen.look = step / 1000;
  return seen;
}

std::vector<Finding> WithDrops(const RuleConfig& rule, std::vector<ScoreDrop> drops) {
  RuleInputs inputs = Inputs();
  inputs.scores.drops = std::move(drops);
  return EvaluateRules({rule}, inputs);
}

const RuleConfig kRegression = {.name = "fell", .kind = "score_regression"};

TEST(ScoreRegressionRule, HoldsAfterTwoCheckpointsInARowBelowTheBestLevel) {
  EXPECT_TRUE(WithDrops(kRegression, {Drop(9000, 0.05)}).empty());
  const auto findings = WithDrops(kRegression, {Drop(9000, 0.05), Drop(10000, 0.051)});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_TRUE(findings[0].active);
  EXPECT_EQ(findings[0].subject, kReasoning);
  EXPECT_EQ(findings[0].summary, "pythia-1b: hellaswag.acc_norm fell from 60.0 % to 54.9 %");
  EXPECT_THAT(findings[0].description,
              HasSubstr("steps 4000 to 6000, the best of 8 earlier levels"));
  EXPECT_THAT(findings[0].description, HasSubstr("the same 1000 items"));
  EXPECT_DOUBLE_EQ(findings[0].values.at("drop"), 0.051);
}

TEST(ScoreRegressionRule, SaysWhereItRestsOnStandardErrors) {
  ScoreDrop first = Drop(9000, 0.05), second = Drop(10000, 0.05);
  first.items = second.items = 0;
  EXPECT_THAT(WithDrops(kRegression, {first, second})[0].description,
              HasSubstr("standard errors and checkpoint noise; the items are not stored"));
}

TEST(ScoreRegressionRule, AsksForWhatItsRateLeavesAfterTheChoiceOfTheBest) {
  RuleConfig rule = kRegression;
  rule.hold = 1;
  rule.min_drop = 0;
  ScoreDrop seen = Drop(10000, 0, 0.01);
  // The drop whose normal tail, times 8, is just the level of look 10.
  const double level = LookLevel(rule.false_alarm_rate, 10);
  double low = 0, high = 0.1;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (8 * 0.5 * std::erfc(middle / 0.01 / std::sqrt(2)) > level ? low : high) = middle;
  }
  seen.drop = high * 1.0001;
  EXPECT_EQ(WithDrops(rule, {seen}).size(), 1u);
  seen.drop = high * 0.9999;
  EXPECT_TRUE(WithDrops(rule, {seen}).empty());
  seen.candidates = 4;
  EXPECT_EQ(WithDrops(rule, {seen}).size(), 1u);
  rule.min_drop = 0.005;
  EXPECT_TRUE(WithDrops(rule, {seen}).empty());
  rule.min_drop = 0;
  rule.margin = 0.5;
  EXPECT_TRUE(WithDrops(rule, {seen}).empty());
  // The same numbers from few degrees of freedom are less.
  rule.margin = 0;
  seen.dof = 8;
  EXPECT_TRUE(WithDrops(rule, {seen}).empty());
}

TEST(ScoreRegressionRule, IsExcludedOnlyWhereTheScoreIsBackOrSurelyCloseToTheLevel) {
  auto findings = WithDrops(kRegression, {Drop(9000, -0.002), Drop(10000, 0)});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_FALSE(findings[0].active);
  EXPECT_EQ(findings[0].summary,
            "hellaswag.acc_norm is back at 60.0 % at step 10000, against 60.0 % before.");
  EXPECT_TRUE(WithDrops(kRegression, {Drop(9000, 0.05), Drop(10000, -0.01)}).empty());
  EXPECT_TRUE(WithDrops(kRegression, {Drop(9000, 0.008), Drop(10000, 0.008)}).empty());
  EXPECT_FALSE(
      WithDrops(kRegression, {Drop(9000, 0.004, 0.002), Drop(10000, 0.005, 0.002)})[0].active);
}

TEST(ScoreRegressionRule, LooksAtItsOwnMetricsOfTheLiveGenerationOfListedRuns) {
  const std::vector<ScoreDrop> drops = {Drop(9000, 0.05), Drop(10000, 0.05)};
  RuleConfig rule = kRegression;
  rule.metrics = {"piqa.acc"};
  EXPECT_TRUE(WithDrops(rule, drops).empty());
  rule.metrics = {"piqa.acc", kReasoning};
  EXPECT_EQ(WithDrops(rule, drops).size(), 1u);
  rule.runs = {"other"};
  EXPECT_TRUE(WithDrops(rule, drops).empty());
  rule.runs = {"other", "pythia"};
  EXPECT_EQ(WithDrops(rule, drops).size(), 1u);
  RuleInputs inputs = Inputs();
  inputs.scores.drops = drops;
  inputs.runs[0].generation = 2;
  EXPECT_TRUE(EvaluateRules({kRegression}, inputs).empty());
}

AxisPoints Points(const char* metric, std::optional<double> chance, std::vector<double> values) {
  AxisPoints axis{.metric = metric, .chance = chance};
  std::int64_t step = 0;
  for (const double value : values) {
    axis.points.push_back({.step = step += 1000, .value = value, .standard_error = 0.01});
  }
  return axis;
}

std::vector<Finding> WithAxes(const RuleConfig& rule, AxisPoints reasoning,
                              AxisPoints truthfulness) {
  RuleInputs inputs = Inputs();
  inputs.scores.standings = {{.family = "pythia",
                              .run = "pythia-1b",
                              .axes = "hellaswag.acc_norm,truthfulqa_mc2.acc",
                              .reasoning = std::move(reasoning),
                              .truthfulness = std::move(truthfulness)}};
  return EvaluateRules({rule}, inputs);
}

const RuleConfig kSpent = {.name = "spent", .kind = "axis_spent", .hold = 3};

TEST(AxisSpentRule, HoldsAtTheCeilingAndSuggestsToRotate) {
  const auto findings = WithAxes(kSpent, Points(kReasoning, 0.25, {0.9, 0.99, 0.985, 0.99}),
                                 Points(kTruthfulness, 0.5, {0.4, 0.4, 0.4, 0.4}));
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_TRUE(findings[0].active);
  EXPECT_FALSE(findings[1].active);  // truthfulness is clear of both
  EXPECT_EQ(findings[0].labels.at("cause"), "ceiling");
  EXPECT_EQ(findings[0].summary,
            "pythia-1b: hellaswag.acc_norm is within noise of its ceiling of 100.0 %");
  ASSERT_EQ(findings[0].interventions.size(), 1u);
  EXPECT_EQ(findings[0].interventions[0].kind, "rotate");
  EXPECT_THAT(findings[0].description, HasSubstr("over steps 2000 to 4000"));
}

TEST(AxisSpentRule, TakesALowerCeilingWhereWrongLabelsLeaveOne) {
  RuleConfig rule = kSpent;
  const auto at = [&] {
    return WithAxes(rule, Points(kReasoning, 0.25, {0.93, 0.93, 0.94}),
                    Points(kTruthfulness, 0.5, {0.4, 0.4, 0.4}))[0];
  };
  EXPECT_FALSE(at().active);
  rule.ceiling = 0.95;
  EXPECT_TRUE(at().active);
}

TEST(AxisSpentRule, CountsChanceOnlyWhereTheOtherAxisHasLearned) {
  const AxisPoints guessing = Points(kTruthfulness, 0.5, {0.51, 0.49, 0.5});
  auto findings = WithAxes(kSpent, Points(kReasoning, 0.25, {0.5, 0.55, 0.6}), guessing);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_FALSE(findings[0].active);
  EXPECT_TRUE(findings[1].active);
  EXPECT_EQ(findings[1].labels.at("cause"), "chance");
  EXPECT_EQ(findings[1].subject, "hellaswag.acc_norm,truthfulqa_mc2.acc,truthfulqa_mc2.acc");
  // An untrained model guesses everywhere: nothing is said.
  EXPECT_TRUE(WithAxes(kSpent, Points(kReasoning, 0.25, {0.25, 0.26, 0.25}), guessing).empty());
}

TEST(AxisSpentRule, SaysNothingWithoutEnoughCheckpointsOrWhereTheyDisagreeOrChanceIsUnknown) {
  const AxisPoints clear = Points(kReasoning, 0.25, {0.5, 0.55, 0.6});
  EXPECT_EQ(WithAxes(kSpent, clear, Points(kTruthfulness, 0.5, {0.5, 0.5})).size(), 1u);
  EXPECT_EQ(WithAxes(kSpent, clear, Points(kTruthfulness, 0.5, {0.5, 0.6, 0.5})).size(), 1u);
  EXPECT_EQ(WithAxes(kSpent, clear, Points(kTruthfulness, std::nullopt, {0.4, 0.4, 0.4})).size(),
            1u);
}

TEST(AxisSpentRule, TakesTheAdviceToRotateWhereThereIsSome) {
  RuleInputs inputs = Inputs();
  inputs.scores.standings = {{.family = "pythia",
                              .run = "pythia-1b",
                              .axes = "hellaswag.acc_norm,truthfulqa_mc2.acc",
                              .reasoning = Points(kReasoning, 0.25, {0.99, 0.985, 0.99}),
                              .truthfulness = Points(kTruthfulness, 0.5, {0.4, 0.4, 0.4})}};
  inputs.advise_axes = [](const AxisStanding&) {
    return std::vector<Intervention>{{"curate", "Curate.", ""}, {"rotate", "To piqa.", ""}};
  };
  const auto findings = EvaluateRules({kSpent}, inputs);
  ASSERT_EQ(findings[0].interventions.size(), 1u);
  EXPECT_EQ(findings[0].interventions[0].action, "To piqa.");
}

std::vector<Finding> WithDimension(double low, double high) {
  RuleInputs inputs = Inputs();
  const RuleConfig rule = {.name = "flat",
                           .kind = "dimension_collapse",
                           .metrics = {"a.acc", "b.acc", "c.acc"},
                           .threshold = 1.1};
  inputs.scores.dimensions = {{.family = "pythia",
                               .metrics = rule.metrics,
                               .value = (low + high) / 2,
                               .low = low,
                               .high = high,
                               .checkpoints = 40,
                               .runs = 5},
                              {.family = "pythia", .metrics = {"a.acc"}, .value = 1}};
  return EvaluateRules({rule}, inputs);
}

TEST(DimensionCollapseRule, HoldsAndIsExcludedWithTheWholeInterval) {
  auto findings = WithDimension(1.01, 1.05);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_TRUE(findings[0].active);
  EXPECT_EQ(findings[0].run, "pythia");
  EXPECT_THAT(findings[0].description, HasSubstr("95 % interval [1.010, 1.050]"));
  EXPECT_EQ(findings[0].interventions[0].kind, "rotate");
  EXPECT_TRUE(WithDimension(1.05, 1.2).empty());
  findings = WithDimension(1.15, 1.5);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_FALSE(findings[0].active);
}

TEST(Rules, AddTheirLabelsAndTextsToWhatIsActiveOnly) {
  RuleConfig rule = kRegression;
  rule.labels = {{"team", "evals"}};
  rule.summary = "{metric} of {run}: down {drop}";
  rule.note = "Call {family}'s owner.";
  auto findings = WithDrops(rule, {Drop(9000, 0.05), Drop(10000, 0.05)});
  EXPECT_EQ(findings[0].summary, "hellaswag.acc_norm of pythia-1b: down 5.0 %");
  EXPECT_THAT(findings[0].description, ::testing::EndsWith("\nCall pythia's owner."));
  EXPECT_EQ(findings[0].labels.at("team"), "evals");
  findings = WithDrops(rule, {Drop(9000, -0.05), Drop(10000, -0.05)});
  EXPECT_THAT(findings[0].summary, HasSubstr("is back at"));
}

TEST(AlertTransitions, EndWhatARuleNoLongerWatches) {
  Config config;
  config.runs = {{.name = "pythia-1b", .family = "pythia"}};
  config.axes = Inputs().axes;
  config.rules = {kRegression};
  const auto findings = WithDrops(kRegression, {Drop(9000, 0.05), Drop(10000, 0.05)});
  const auto fired = AlertTransitions({}, findings, ScopeOf(config), 100);
  ASSERT_EQ(fired.size(), 1u);
  EXPECT_TRUE(AlertTransitions(fired, {}, ScopeOf(config), 200).empty());
  config.rules[0].metrics = {"piqa.acc"};
  auto ended = AlertTransitions(fired, {}, ScopeOf(config), 200);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_THAT(ended[0].resolution, HasSubstr("no longer watches hellaswag.acc_norm"));
  config.rules = {kRegression};
  config.rules[0].runs = {"other"};
  ended = AlertTransitions(fired, {}, ScopeOf(config), 200);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_THAT(ended[0].resolution, HasSubstr("no longer watches pythia-1b"));
  config.rules[0].runs = {"pythia"};
  EXPECT_TRUE(AlertTransitions(fired, {}, ScopeOf(config), 200).empty());
}

}  // namespace
}  // namespace couplingd
