// Power losses at random moments: what a commit acknowledged stays, and nothing is half there.
#include "tests/history/fault_disk.h"

#include <fmt/format.h>

#include "tests/history/fixture.h"

namespace couplingd {
namespace {

struct Losses {
  int lost = 0, halves = 0, damaged = 0, stops = 0;
};

// Pairs of values are committed until the power fails, again and again.
Losses WriteThroughPowerLosses(bool normal_synchronous, int rounds) {
  const TemporaryDirectory directory;
  const std::string store = directory.path() + "/store";
  const ManualClock clock(kStart);
  FaultDisk disk({.seed = 7, .normal_synchronous = normal_synchronous});
  Losses losses;
  int committed = 0;
  for (int round = 0; round < rounds; ++round) {
    disk.FailPowerAfter(1 + round * 37 % 211);
    auto writer = HistoryWriter::Open(store, clock);
    if (writer) {
      HistoryReader& reader = (*writer)->reader();
      while (committed > 0 && !Must(reader.Value(fmt::format("right {}", committed - 1)))) {
        --committed;
        ++losses.lost;
      }
      const bool left = Must(reader.Value(fmt::format("left {}", committed))).has_value();
      const bool right = Must(reader.Value(fmt::format("right {}", committed))).has_value();
      losses.halves += left != right;
      committed += right;
      while (!disk.is_down()) {
        const Status stored = (*writer)->Transaction([&]() -> Status {
          TRY((*writer)->SetValue(fmt::format("left {}", committed), std::string(300, 'x')));
          return (*writer)->SetValue(fmt::format("right {}", committed), std::string(300, 'x'));
        });
        committed += stored.has_value();
        if (committed % 5 == 0) (void)(*writer)->CheckpointLog();
      }
    } else {
      losses.damaged += !disk.is_down();
    }
    writer = Fail(ErrorKind::kCancelled, "");
    losses.stops += disk.is_down();
    disk.Restart(/*lose=*/true);
  }
  losses.damaged += CheckIntegrity(store + "/history.db") != "ok";
  return losses;
}

TEST(FaultDisk, APowerLossTakesNothingThatWasAcknowledged) {
  const Losses losses = WriteThroughPowerLosses(false, 90);
  EXPECT_EQ(losses.lost, 0);
  EXPECT_EQ(losses.halves, 0);
  EXPECT_EQ(losses.damaged, 0);
  EXPECT_GT(losses.stops, 70);
}

// The control: the same disk shows the loss where commits are not synced.
TEST(FaultDisk, APowerLossTakesCommitsThatWereNotSynced) {
  EXPECT_GT(WriteThroughPowerLosses(true, 90).lost, 0);
}

}  // namespace
}  // namespace couplingd
