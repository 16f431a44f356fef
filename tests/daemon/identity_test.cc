#include "daemon/identity.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

Checkpoint Known(std::int64_t id, std::int64_t step, const std::string& signature,
                 UnixMillis written_at) {
  Checkpoint checkpoint;
  checkpoint.id = id;
  checkpoint.step = step;
  checkpoint.path = "/run/checkpoint-" + std::to_string(step);
  checkpoint.signature = signature;
  checkpoint.written_at = written_at;
  return checkpoint;
}

TEST(Identify, AnUnseenStepIsNew) {
  EXPECT_EQ(Identify({Known(1, 100, "a", 10)}, 1, 200, "/run/checkpoint-200", "b", 20).sighting,
            Sighting::kNew);
}

TEST(Identify, TheSameContentIsKnown) {
  const auto identified =
      Identify({Known(1, 100, "a", 10)}, 1, 100, "/run/checkpoint-100", "a", 10);
  EXPECT_EQ(identified.sighting, Sighting::kKnown);
  EXPECT_EQ(identified.existing->id, 1);
}

TEST(Identify, TheNewestStepWithOtherContentIsRewritten) {
  EXPECT_EQ(Identify({Known(1, 100, "a", 10)}, 1, 100, "/run/checkpoint-100", "b", 20).sighting,
            Sighting::kRewritten);
}

TEST(Identify, AnEarlierStepWrittenAfterALaterOneIsRewound) {
  const std::vector<Checkpoint> known = {Known(1, 100, "a", 10), Known(2, 200, "b", 20)};
  EXPECT_EQ(Identify(known, 1, 100, "/run/checkpoint-100", "c", 30).sighting, Sighting::kRewound);
  EXPECT_EQ(Identify(known, 1, 150, "/run/checkpoint-150", "c", 30).sighting, Sighting::kRewound);
}

TEST(Identify, AnEarlierStepThatIsFoundLateIsNew) {
  const std::vector<Checkpoint> known = {Known(2, 200, "b", 20)};
  EXPECT_EQ(Identify(known, 1, 100, "/run/checkpoint-100", "a", 10).sighting, Sighting::kNew);
}

TEST(Identify, ACheckpointThatWaitedIsContinued) {
  const auto identified = Identify({Known(7, 100, "", 10)}, 1, 100, "/run/checkpoint-100", "a", 11);
  EXPECT_EQ(identified.sighting, Sighting::kNew);
  EXPECT_EQ(identified.existing->id, 7);
}

TEST(Identify, WhatAnEarlierGenerationLeftBehindStaysKnown) {
  const std::vector<Checkpoint> known = {Known(1, 100, "a", 10), Known(2, 200, "b", 20)};
  EXPECT_EQ(Identify(known, 2, 200, "/run/checkpoint-200", "b", 20).sighting, Sighting::kKnown);
  EXPECT_EQ(Identify(known, 2, 200, "/run/checkpoint-200", "c", 40).sighting, Sighting::kNew);
}

}  // namespace
}  // namespace couplingd
