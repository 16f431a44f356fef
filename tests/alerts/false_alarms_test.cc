// The spending of a declared rate.
#include "alerts/false_alarms.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

TEST(FalseAlarms, LevelsOfAThousandLooksAddUpToTheRate) {
  for (const double rate : {0.01, 0.3}) {
    double sum = 0;
    for (int look = 1; look <= 1000; ++look) {
      sum += LookLevel(rate, look);
      EXPECT_NEAR(sum, SpentRate(rate, look), 1e-12 * look);
    }
    EXPECT_NEAR(sum, rate, 1e-12);
    EXPECT_DOUBLE_EQ(SpentRate(rate, 1000), rate);
  }
}

TEST(FalseAlarms, LaterThousandsSpendTheRateAgainAndNoMore) {
  EXPECT_DOUBLE_EQ(LookLevel(0.01, 1001), 1e-5);
  EXPECT_NEAR(SpentRate(0.01, 5000), 0.05, 1e-12);
  EXPECT_EQ(SpentRate(0.01, 0), 0);
}

TEST(FalseAlarms, EarlyLooksMaySpendMore) {
  for (int look = 1; look < 1000; ++look) {
    EXPECT_GT(LookLevel(0.01, look), LookLevel(0.01, look + 1));
  }
  EXPECT_GE(LookLevel(0.01, 1000), 0.5 * 0.01 / 1000);
}

// scipy.stats.norm.sf(scipy.stats.norm.isf(1e-5) + 0.5)
TEST(FalseAlarms, AMarginIsCountedInSigmas) {
  EXPECT_NEAR(LevelBeyond(1e-5, 0.5), 9.44779803394294e-07, 1e-4 * 9.44779803394294e-07);
  EXPECT_NEAR(LevelBeyond(1e-5, 0), 1e-5, 1e-15);
}

}  // namespace
}  // namespace couplingd
