#include "coupling/observation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "coupling/local_coupling.h"
#include "coupling/size_matching.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

AxisSeries Aggregates(int checkpoints) {
  AxisSeries series{.family = "f", .run = "r"};
  for (int k = 0; k < checkpoints; ++k) {
    series.observations.push_back({.step = 1000.0 * (k + 1),
                                   .tokens = 2e9 * (k + 1),
                                   .parameters = 1e8,
                                   .reasoning = 0.3 + 0.03 * k,
                                   .truthfulness = 0.4,
                                   .reasoning_stderr = 0.01,
                                   .truthfulness_stderr = 0.01});
  }
  return series;
}

TEST(AxisSeries, RefusesAScoreThatIsNotFiniteAndNamesRunAndStep) {
  AxisSeries series = Aggregates(5);
  series.observations[2].truthfulness = std::numeric_limits<double>::quiet_NaN();
  const auto estimate = CouplingOverSteps(series, {});
  ASSERT_FALSE(estimate);
  EXPECT_EQ(estimate.error().kind, ErrorKind::kInvalidData);
  EXPECT_THAT(estimate.error().message, HasSubstr("run r, step 3000"));
  EXPECT_THAT(estimate.error().message, HasSubstr("truthfulness"));
}

TEST(AxisSeries, RefusesOtherItemsAtOneCheckpoint) {
  AxisSeries series = Aggregates(5);
  for (AxisObservation& at : series.observations) at.reasoning_items = {1, 0, 1, 1};
  series.observations[3].reasoning_items.pop_back();
  const auto other_number = CheckSeries(series);
  ASSERT_FALSE(other_number);
  EXPECT_THAT(other_number.error().message, HasSubstr("other items (3)"));

  series.observations[3].reasoning_items = {1, 1, 1, 1};
  EXPECT_TRUE(CheckSeries(series));
  series.observations[0].reasoning_plan = "a";
  series.observations[4].reasoning_plan = "b";
  EXPECT_FALSE(CheckSeries(series));
}

TEST(AxisSeries, RefusesTwoObservationsOfOneStepAndTokensThatFall) {
  AxisSeries series = Aggregates(5);
  series.observations[4].step = 4000;
  EXPECT_THAT(CouplingOverSteps(series, {}).error().message, HasSubstr("two observations"));
  series.observations[4].step = 5000;
  series.observations[4].tokens = 1e9;
  EXPECT_THAT(CouplingOverSteps(series, {}).error().message, HasSubstr("tokens do not rise"));
}

TEST(AxisSeries, RefusesClustersThatDoNotMatchTheItems) {
  AxisSeries series = Aggregates(1);
  series.observations[0].truthfulness_items = {1, 0};
  series.truthfulness_clusters = {"law"};
  EXPECT_THAT(CheckSeries(series).error().message, HasSubstr("2 items and 1 cluster names"));
}

std::vector<AxisObservation> RunOf(double parameters, std::initializer_list<double> tokens) {
  std::vector<AxisObservation> run;
  double step = 0;
  for (const double seen : tokens) {
    run.push_back({.step = step++, .tokens = seen, .parameters = parameters});
  }
  return run;
}

TEST(SizeMatching, TakesTheLargestTokensThatAllSizesShare) {
  const auto matched = MatchSizes({RunOf(4e8, {0, 1e9, 2.01e9, 3e9}),
                                   RunOf(1e8, {0, 1e9, 2e9, 4e9}), RunOf(2e8, {0, 1e9, 1.99e9})},
                                  SizeMatch::kTokens);
  ASSERT_TRUE(matched);
  ASSERT_EQ(matched->chosen.size(), 3u);
  EXPECT_EQ(*matched->chosen[0].parameters, 1e8);
  EXPECT_EQ(*matched->chosen[0].tokens, 2e9);
  EXPECT_EQ(*matched->chosen[2].tokens, 2.01e9);
  EXPECT_TRUE(matched->left_out.empty());
}

TEST(SizeMatching, NamesTheSizeThatHasNoMatch) {
  const auto matched =
      MatchSizes({RunOf(1e8, {0, 1e9, 2e9}), RunOf(2e8, {0, 1e9, 2e9}), RunOf(4e8, {0, 5e8})},
                 SizeMatch::kTokens);
  ASSERT_TRUE(matched);
  EXPECT_EQ(matched->chosen.size(), 2u);
  EXPECT_EQ(*matched->at, 2e9);
  ASSERT_EQ(matched->left_out.size(), 1u);
  EXPECT_THAT(matched->left_out[0], HasSubstr("4e+08 parameters: no checkpoint within 2.0 %"));
}

TEST(SizeMatching, ByTokensPerParameterAndByTheLastCheckpoint) {
  const std::vector<std::vector<AxisObservation>> runs{RunOf(1e8, {0, 1e9, 2e9}),
                                                       RunOf(2e8, {0, 2e9, 3e9})};
  const auto ratio = MatchSizes(runs, SizeMatch::kTokensPerParameter);
  ASSERT_TRUE(ratio);
  EXPECT_EQ(*ratio->at, 10);
  EXPECT_EQ(*ratio->chosen[1].tokens, 2e9);
  const auto final = MatchSizes(runs, SizeMatch::kFinal);
  ASSERT_TRUE(final);
  EXPECT_EQ(*final->chosen[1].tokens, 3e9);
  EXPECT_FALSE(MatchSizes({RunOf(1e8, {0, 1e9}), RunOf(1e8, {0, 1e9})}, SizeMatch::kFinal));
}

}  // namespace
}  // namespace couplingd
