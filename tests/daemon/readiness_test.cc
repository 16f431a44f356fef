#include "daemon/readiness.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

using std::chrono::milliseconds;

Candidate At(const std::string& fingerprint) {
  Candidate candidate;
  candidate.path = "/run/checkpoint-1";
  candidate.fingerprint = fingerprint;
  return candidate;
}

class Quiet : public testing::Test {
 protected:
  ReadinessTracker tracker_{milliseconds(5000)};
};

TEST_F(Quiet, IsOnlyWhatHasStayedTheSameForThePeriod) {
  EXPECT_FALSE(tracker_.Observe(At("a"), 0));
  EXPECT_FALSE(tracker_.Observe(At("a"), 4999));
  EXPECT_TRUE(tracker_.Observe(At("a"), 5000));
}

TEST_F(Quiet, BeginsAnewWithEveryChange) {
  tracker_.Observe(At("a"), 0);
  EXPECT_FALSE(tracker_.Observe(At("b"), 4000));
  EXPECT_FALSE(tracker_.Observe(At("b"), 8999));
  EXPECT_TRUE(tracker_.Observe(At("b"), 9000));
}

TEST_F(Quiet, WhatIsSettledIsNotAskedAboutUntilItChanges) {
  tracker_.Observe(At("a"), 0);
  ASSERT_TRUE(tracker_.Observe(At("a"), 5000));
  tracker_.Settle("/run/checkpoint-1", "a");
  EXPECT_FALSE(tracker_.Observe(At("a"), 90000));
  EXPECT_TRUE(tracker_.Unsettled().empty());
  EXPECT_FALSE(tracker_.Observe(At("b"), 90001));
  EXPECT_TRUE(tracker_.Observe(At("b"), 95001));
}

TEST_F(Quiet, AnAnswerAboutOtherContentSettlesNothing) {
  tracker_.Observe(At("b"), 0);
  tracker_.Settle("/run/checkpoint-1", "a");
  EXPECT_TRUE(tracker_.Observe(At("b"), 5000));
}

TEST_F(Quiet, WhatWasNotReadyIsAskedAboutAgainAfterTheDelay) {
  tracker_.Observe(At("a"), 0);
  ASSERT_TRUE(tracker_.Observe(At("a"), 5000));
  EXPECT_FALSE(tracker_.AllAsked());
  tracker_.Recheck("/run/checkpoint-1", 5000, milliseconds(3000));
  EXPECT_TRUE(tracker_.AllAsked());
  EXPECT_FALSE(tracker_.Observe(At("a"), 7999));
  EXPECT_TRUE(tracker_.Observe(At("a"), 8000));
}

TEST_F(Quiet, IsWaivedByTheTrainersWord) {
  tracker_.Waive("/run/checkpoint-1");
  EXPECT_TRUE(tracker_.Observe(At("a"), 0));
}

TEST_F(Quiet, WhatIsGoneIsForgottenAndNamed) {
  tracker_.Observe(At("a"), 0);
  EXPECT_EQ(tracker_.Retain({}), std::vector<std::string>{"/run/checkpoint-1"});
  EXPECT_FALSE(tracker_.Observe(At("a"), 6000));
}

}  // namespace
}  // namespace couplingd
