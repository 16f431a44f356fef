#include "daemon/schedule.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

TEST(Schedule, EveryTakesTheFirstAndEachNthAfterIt) {
  const Schedule schedule{ScheduleKind::kEvery, 2, 8};
  const std::vector<std::int64_t> known = {100, 200, 300, 400};
  EXPECT_FALSE(ReasonToSkip(schedule, 100, known, {}, false));
  EXPECT_TRUE(ReasonToSkip(schedule, 200, known, {}, false));
  EXPECT_FALSE(ReasonToSkip(schedule, 300, known, {}, false));
}

TEST(Schedule, LogLeavesOutWhatLiesCloseToAnEvaluatedStepAndSaysToWhich) {
  const Schedule schedule{ScheduleKind::kLog, 1, 2};
  const auto reason = ReasonToSkip(schedule, 2000, {1000, 2000}, {1000}, false);
  ASSERT_TRUE(reason);
  EXPECT_EQ(*reason, "schedule log: step 2000 is within 1/2 decade of step 1000");
  EXPECT_FALSE(ReasonToSkip(schedule, 4000, {1000, 4000}, {1000}, false));
  EXPECT_FALSE(ReasonToSkip(schedule, 0, {0, 1000}, {1000}, false));
}

TEST(Schedule, AdaptiveTakesEverythingWhileTheSignIsOpen) {
  const Schedule schedule{ScheduleKind::kAdaptive, 1, 2};
  EXPECT_TRUE(ReasonToSkip(schedule, 2000, {1000, 2000}, {1000}, /*dense=*/false));
  EXPECT_FALSE(ReasonToSkip(schedule, 2000, {1000, 2000}, {1000}, /*dense=*/true));
}

Checkpoint Queued(std::int64_t run, std::int64_t step) {
  Checkpoint checkpoint;
  checkpoint.run_id = run;
  checkpoint.step = step;
  return checkpoint;
}

TEST(Queue, TakesTheNewestOrTheOldestStepAsAsked) {
  const std::vector<Checkpoint> queue = {Queued(1, 100), Queued(1, 300), Queued(1, 200)};
  EXPECT_EQ(NextInQueue(queue, "newest", {}), 1u);
  EXPECT_EQ(NextInQueue(queue, "oldest", {}), 0u);
  EXPECT_EQ(NextInQueue({}, "oldest", {}), std::nullopt);
}

TEST(Queue, LetsRunsTakeTurns) {
  const std::vector<Checkpoint> queue = {Queued(1, 900), Queued(2, 100)};
  EXPECT_EQ(NextInQueue(queue, "newest", {{1, 50}, {2, 10}}), 1u);
  EXPECT_EQ(NextInQueue(queue, "newest", {{1, 10}, {2, 50}}), 0u);
  EXPECT_EQ(NextInQueue(queue, "newest", {{1, 10}}), 1u)
      << "a run that never had a turn comes first";
}

}  // namespace
}  // namespace couplingd
