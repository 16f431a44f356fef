#include "queries/parameters.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

TEST(ParseRange, ReadsEveryForm) {
  EXPECT_EQ(ParseRange("1000..2B", "tokens")->high, 2e9);
  EXPECT_EQ(ParseRange("1000..", "step")->high, std::nullopt);
  EXPECT_EQ(ParseRange("..5", "step")->low, std::nullopt);
  EXPECT_EQ(ParseRange("7", "step")->low, 7);
  EXPECT_EQ(ParseRange("7", "step")->high, 7);
}

TEST(ParseRange, NamesTheParameterThatIsWrong) {
  EXPECT_EQ(ParseRange("9..1", "step").error().message, "step: \"9..1\" ends before it begins");
  EXPECT_EQ(ParseRange("a..", "step").error().kind, ErrorKind::kUsage);
}

TEST(ParseFilter, UnderstandsSpansAndTimes) {
  const ManualClock clock(1'700'000'000'000);
  EXPECT_EQ(ParseFilter({{"since", "1h"}}, clock)->since, clock.Now() - 3'600'000);
  EXPECT_EQ(ParseFilter({{"since", "1970-01-02"}}, clock)->since, 86'400'000);
  EXPECT_FALSE(ParseFilter({{"since", "yesterday"}}, clock));
  EXPECT_EQ(ParseFilter({{"generation", "all"}}, clock)->generation, 0);
}

TEST(ParseAxes, TakesAConfiguredNameOrTwoMetrics) {
  Config config;
  config.axes = {{"default", {"hellaswag", "acc_norm"}, {"truthfulqa_mc2", "acc"}}};
  EXPECT_EQ(ParseAxes({}, config)->size(), 1u);
  EXPECT_EQ(ParseAxes({{"axes", "default"}}, config)->at(0).reasoning.task, "hellaswag");
  const auto pair = ParseAxes({{"axes", "arc_easy.acc,winogrande.acc"}}, config);
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->at(0).truthfulness.Text(), "winogrande.acc");
  EXPECT_FALSE(ParseAxes({{"axes", "arc_easy"}}, config));
}

}  // namespace
}  // namespace couplingd
