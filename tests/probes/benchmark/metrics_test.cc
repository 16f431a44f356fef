#include "probes/benchmark/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/probes/benchmark/fixtures.h"

namespace couplingd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ItemInfo Item(std::string id, std::vector<std::uint32_t> characters, std::vector<bool> labels) {
  ItemInfo item{.id = std::move(id)};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    item.choices.push_back(
        {.characters = characters[i], .bytes = 2 * characters[i], .is_true = labels[i]});
  }
  return item;
}

std::vector<ChoiceScore> Scores(std::vector<double> values) {
  std::vector<ChoiceScore> scores;
  for (const double value : values) scores.push_back({.log_likelihood = value});
  return scores;
}

MetricResult Compute(const std::string& task, const std::string& metric,
                     std::vector<ItemInfo> items, std::vector<std::vector<ChoiceScore>> scores) {
  const TaskPlan plan{.task = task, .metrics = {metric}, .items = std::move(items)};
  return Value(ComputeMetrics(plan, {.task = task, .scores = std::move(scores)}))[0];
}

TEST(ComputeMetrics, TakesTheFirstOfEqualChoices) {
  const std::vector items = {Item("a", {1, 1}, {true, false}), Item("b", {1, 1}, {false, true})};
  const auto result = Compute("t", "acc", items, {Scores({-2, -2}), Scores({-2, -2})});
  EXPECT_THAT(result.per_item, ElementsAre(1.0, 0.0));
}

TEST(ComputeMetrics, NormalisesByCharacters) {
  const std::vector items = {Item("a", {2, 10}, {false, true})};
  EXPECT_EQ(Compute("t", "acc", items, {Scores({-3, -9})}).score.value, 0.0);
  EXPECT_EQ(Compute("t", "acc_norm", items, {Scores({-3, -9})}).score.value, 1.0);
  EXPECT_EQ(Compute("t", "acc_bytes", items, {Scores({-3, -9})}).score.value, 1.0);
}

TEST(ComputeMetrics, FollowNumpyWhereAChoiceHasNoCharacters) {
  const std::vector items = {Item("a", {0, 4}, {false, true})};
  EXPECT_EQ(Compute("t", "acc_norm", items, {Scores({-1, -90})}).score.value, 1.0);  // -1/0 is -inf
  EXPECT_EQ(Compute("t", "acc_norm", items, {Scores({0, -90})}).score.value, 0.0);  // 0/0: NaN wins
}

TEST(ComputeMetrics, GivesMeanAndStandardErrorOfTheItems) {
  // numpy: x = [1, 0, 1, 1]; x.mean() = 0.75; x.std(ddof=1) / 2 = 0.25
  const ItemInfo item = Item("a", {1, 1}, {true, false});
  const auto right = Scores({-1, -2}), wrong = Scores({-2, -1});
  const auto result = Compute("t", "acc", {item, item, item, item}, {right, wrong, right, right});
  EXPECT_DOUBLE_EQ(result.score.value, 0.75);
  EXPECT_DOUBLE_EQ(*result.score.stderr_value, 0.25);
  EXPECT_EQ(result.score.n, 4);
  EXPECT_FALSE(Compute("t", "acc", {item}, {right}).score.stderr_value);
}

TEST(ComputeMetrics, GivesMc2TheMassOfTheTrueAnswers) {
  const std::vector items = {Item("a", {1, 1, 1}, {true, true, false})};
  const double expected =
      (std::exp(-1) + std::exp(-2)) / (std::exp(-1) + std::exp(-2) + std::exp(-3));
  EXPECT_NEAR(Compute("truthfulqa_mc2", "acc", items, {Scores({-1, -2, -3})}).score.value, expected,
              1e-15);
  EXPECT_NEAR(Compute("mine", "true_mass", items, {Scores({-1, -2, -3})}).score.value, expected,
              1e-15);
  EXPECT_EQ(Compute("mine", "acc", items, {Scores({-3, -2, -1})}).score.value, 0.0);
}

TEST(ComputeMetrics, KeepsMassWhereEveryProbabilityUnderflows) {
  const std::vector items = {Item("a", {1, 1}, {true, false})};
  const auto result = Compute("truthfulqa_mc2", "acc", items, {Scores({-5000, -5001})});
  EXPECT_NEAR(result.score.value, 1 / (1 + std::exp(-1.0)), 1e-12);
  const auto far = Compute("truthfulqa_mc2", "log_odds", items, {Scores({-9000, -1000})});
  EXPECT_DOUBLE_EQ(far.score.value, -8000);
}

TEST(ComputeMetrics, AddsLogOddsToEveryTask) {
  const TaskPlan plan{
      .task = "t", .metrics = {"acc"}, .items = {Item("a", {1, 1, 1}, {true, false, false})}};
  const auto metrics = Value(ComputeMetrics(plan, {.task = "t", .scores = {Scores({-1, -2, -2})}}));
  ASSERT_EQ(metrics.size(), 2u);
  EXPECT_EQ(metrics[1].score.metric, "log_odds");
  EXPECT_NEAR(metrics[1].score.value, 1 - std::log(2), 1e-15);  // -1 - ln(2 e^-2)
}

TEST(ComputeMetrics, RefusesWhatCannotBeScored) {
  const TaskPlan plan{.task = "t", .metrics = {"acc"}, .items = {Item("a", {1, 1}, {true, false})}};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  TaskPlan unknown = plan;
  unknown.metrics = {"bleu"};
  const std::tuple<TaskPlan, TaskScores, std::string> cases[] = {
      {plan, {"t", {Scores({-1, nan})}}, "item \"a\", choice 1: the log-likelihood is nan"},
      {plan, {"t", {Scores({-1})}}, "item \"a\" has 1 choices, the plan has 2"},
      {plan, {"t", {}}, "0 items, the plan has 1"},
      {plan, {"u", {Scores({-1, -2})}}, "they are of u"},
      {unknown, {"t", {Scores({-1, -2})}}, "unknown metric \"bleu\""},
  };
  for (const auto& [wrong_plan, scores, cause] : cases) {
    const auto metrics = ComputeMetrics(wrong_plan, scores);
    ASSERT_FALSE(metrics);
    EXPECT_THAT(metrics.error().message, HasSubstr(cause));
  }
}

}  // namespace
}  // namespace couplingd
