#include "queries/evaluation_pace.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class EvaluationPaceTest : public testing::Test {
 protected:
  void TakeAfter(milliseconds span, double done, double total) {
    clock_.Advance(span);
    pace_.Take(done, total, clock_.Steady());
  }
  std::optional<milliseconds> Left() const { return pace_.Left(clock_.Steady()); }

  ManualClock clock_{0};
  EvaluationPace pace_;
};

TEST_F(EvaluationPaceTest, ThereIsNoTimeLeftBeforeThereIsASpeed) {
  EXPECT_EQ(Left(), std::nullopt);
  TakeAfter(seconds(5), 0, 100);
  EXPECT_EQ(Left(), std::nullopt);
  clock_.Advance(seconds(5));
  EXPECT_EQ(Left(), std::nullopt);
  TakeAfter(seconds(0), 0, 100);
  EXPECT_EQ(Left(), std::nullopt);
}

TEST_F(EvaluationPaceTest, TimeLeftFollowsFromTheMeanSpeed) {
  TakeAfter(seconds(5), 0, 100);
  TakeAfter(seconds(10), 20, 100);
  EXPECT_EQ(Left(), seconds(40));
  TakeAfter(seconds(30), 40, 100);
  EXPECT_EQ(Left(), seconds(60));
  EXPECT_DOUBLE_EQ(pace_.fraction(), 0.4);
}

TEST_F(EvaluationPaceTest, TimeGoesByBetweenReportsAndNeverBelowZero) {
  TakeAfter(seconds(0), 0, 100);
  TakeAfter(seconds(10), 50, 100);
  clock_.Advance(seconds(4));
  EXPECT_EQ(Left(), seconds(6));
  clock_.Advance(seconds(40));
  EXPECT_EQ(Left(), seconds(0));
}

TEST_F(EvaluationPaceTest, WhatWasRestoredIsDoneButIsNoSpeed) {
  TakeAfter(seconds(0), 80, 100);
  EXPECT_DOUBLE_EQ(pace_.fraction(), 0.8);
  EXPECT_EQ(Left(), std::nullopt);
  TakeAfter(seconds(10), 85, 100);
  EXPECT_EQ(Left(), seconds(30));
}

TEST_F(EvaluationPaceTest, AnotherStageBeginsAnew) {
  TakeAfter(seconds(0), 0, 100);
  TakeAfter(seconds(10), 100, 100);
  EXPECT_EQ(Left(), seconds(0));
  TakeAfter(seconds(60), 1, 4);
  EXPECT_EQ(Left(), std::nullopt);
  TakeAfter(seconds(2), 2, 4);
  EXPECT_EQ(Left(), seconds(4));
}

}  // namespace
}  // namespace couplingd
