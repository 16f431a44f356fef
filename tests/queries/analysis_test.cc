#include "queries/analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace couplingd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

AxisSeries RunOf(const std::string& name, std::optional<double> parameters,
                 std::vector<double> tokens) {
  AxisSeries run{.family = "web", .run = name};
  run.axes = {"default", {"arc", "acc"}, {"mc", "acc"}};
  for (const double at : tokens) {
    AxisObservation observation{.step = at, .tokens = at, .parameters = parameters};
    observation.reasoning = observation.truthfulness = 0.5;
    run.observations.push_back(observation);
  }
  return run;
}

TEST(FamilySeries, SaysWhichRunsAndSizesItLeavesOut) {
  const auto family = FamilySeries(
      {RunOf("a", 1e8, {1e9, 2e9}), RunOf("b", 2e8, {1e9, 2e9}), RunOf("b2", 2e8, {1e9, 2e9}),
       RunOf("c", 4e8, {5e8}), RunOf("d", std::nullopt, {2e9})},
      "tokens");
  ASSERT_TRUE(family) << family.error().Text();
  EXPECT_EQ(family->series.observations.size(), 2u);
  EXPECT_THAT(
      family->left_out,
      ElementsAre("run b: run b2 has the same size", "run d: its number of parameters is unknown",
                  HasSubstr("4e+08 parameters: no checkpoint within 2.0 %")));
}

}  // namespace
}  // namespace couplingd
