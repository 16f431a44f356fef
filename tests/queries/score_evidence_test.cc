#include "queries/score_evidence.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "alerts/rules.h"
#include "config/tables.h"
#include "tests/queries/item_history.h"

namespace couplingd {
namespace {

std::string Folder(const char* name) {
  return ::testing::TempDir() + "score_evidence_" + name + "_" + std::to_string(::getpid());
}

Config ConfigFor(const std::vector<RuleConfig>& rules) {
  Config config;
  config.runs = {{.name = "a-1b", .family = "a"}};
  config.axes = {{"default", {"reason", "acc"}, {"truth", "acc"}}};
  config.rules = rules;
  return config;
}

// Abilities that rise to the turn and fall from there.
RunTruth Turning(int checkpoints, int turn) {
  return {.run = "a-1b",
          .family = "a",
          .tasks = {{.task = "reason", .start = -1, .slope = 0.12, .turn = turn},
                    {.task = "truth", .start = -0.5, .slope = 0.1}},
          .checkpoints = checkpoints};
}

ScoreEvidence Measure(ItemHistory& history, const Config& config) {
  const auto evidence = MeasureScoreEvidence(history.reader(), config, {});
  EXPECT_TRUE(evidence) << evidence.error().Text();
  return evidence.value_or(ScoreEvidence());
}

TEST(ScoreEvidence, ComparesTheNewestCheckpointsWithTheBestLevelOnTheSameItems) {
  ItemHistory history(Folder("drop"));
  history.Add(Turning(15, 12));
  const Config config = ConfigFor({{.name = "fell", .kind = "score_regression"}});
  const ScoreEvidence evidence = Measure(history, config);
  std::vector<ScoreDrop> drops = evidence.drops;
  std::erase_if(drops, [](const ScoreDrop& seen) { return seen.metric != "reason.acc"; });
  ASSERT_EQ(drops.size(), 2u);  // the newest two checkpoints
  const ScoreDrop& last = drops.back();
  EXPECT_EQ(last.items, 400);
  EXPECT_EQ(last.look, 3);
  EXPECT_EQ(last.candidates, 12);
  EXPECT_LE(last.best_to, 19462);  // step of checkpoint 13; the turn is at checkpoint 12
  EXPECT_NEAR(last.drop, last.best - last.value, 1e-12);
  EXPECT_GT(last.drop, 0.05);
  // Paired: the same items differ less between checkpoints than two draws of items would.
  EXPECT_LT(last.standard_error, 0.025);
}

TEST(ScoreEvidence, LetsTheRuleFireOnAFallAndNotOnNoiseAroundALevel) {
  const Config config = ConfigFor({{.name = "fell", .kind = "score_regression", .hold = 1}});
  const auto fired = [&](ItemHistory& history) {
    RuleInputs inputs;
    inputs.runs = {{.name = "a-1b", .family = "a"}};
    inputs.axes = config.axes;
    inputs.scores = Measure(history, config);
    int active = 0;
    for (const Finding& finding : EvaluateRules(config.rules, inputs)) active += finding.active;
    return active;
  };
  ItemHistory falling(Folder("falling"));
  RunTruth truth = Turning(25, 20);
  falling.Add(truth);
  EXPECT_EQ(fired(falling), 1);
  ItemHistory level(Folder("level"));
  truth.tasks = {{.task = "reason", .jumps = 0.1}, {.task = "truth", .jumps = 0.1}};
  level.Add(truth);
  EXPECT_EQ(fired(level), 0);
}

TEST(ScoreEvidence, SaysNothingBeforeTheNoiseIsKnown) {
  ItemHistory history(Folder("short"));
  history.Add(Turning(12, 6));
  EXPECT_TRUE(
      Measure(history, ConfigFor({{.name = "fell", .kind = "score_regression"}})).drops.empty());
}

TEST(ScoreEvidence, KnowsChanceAndTheNoiseOfEveryPointOfAnAxis) {
  ItemHistory history(Folder("axes"));
  history.Add(Turning(10, 100));
  const ScoreEvidence evidence =
      Measure(history, ConfigFor({{.name = "spent", .kind = "axis_spent", .hold = 4}}));
  ASSERT_EQ(evidence.standings.size(), 1u);
  const AxisPoints& axis = evidence.standings[0].reasoning;
  EXPECT_EQ(axis.metric, "reason.acc");
  ASSERT_EQ(axis.points.size(), 4u);
  ASSERT_TRUE(axis.chance);
  EXPECT_DOUBLE_EQ(*axis.chance, 0.5);  // one true choice of two
  EXPECT_GT(axis.points.back().standard_error, 0.005);
  EXPECT_LT(axis.points.back().standard_error, 0.05);
}

TEST(ScoreEvidence, MeasuresTheDimensionOfAFamilyFromThreeScoresOn) {
  ItemHistory history(Folder("dimension"));
  for (int run = 0; run < 3; ++run) {
    const double base = 0.4 * run;
    history.Add({.run = "a-" + std::to_string(run),
                 .family = "a",
                 .tasks = {{.task = "x", .start = base - 1, .slope = 0.2},
                           {.task = "y", .start = base - 0.8, .slope = 0.2},
                           {.task = "z", .start = base - 0.9, .slope = 0.2}},
                 .checkpoints = 8,
                 .seed = static_cast<std::uint64_t>(run + 1)});
  }
  Config config = ConfigFor(
      {{.name = "flat", .kind = "dimension_collapse", .metrics = {"x.acc", "y.acc", "z.acc"}}});
  const ScoreEvidence evidence = Measure(history, config);
  ASSERT_EQ(evidence.dimensions.size(), 1u);
  const FamilyDimension& seen = evidence.dimensions[0];
  EXPECT_EQ(seen.checkpoints, 24);
  EXPECT_EQ(seen.runs, 3);
  EXPECT_LT(seen.value, 1.1);  // one ability drives all three
  EXPECT_LE(seen.low, seen.value);
  EXPECT_GE(seen.high, seen.value);
  config.rules[0].metrics.pop_back();
  EXPECT_TRUE(Measure(history, config).dimensions.empty());
}

}  // namespace
}  // namespace couplingd
