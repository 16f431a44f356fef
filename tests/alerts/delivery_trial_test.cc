#include "tests/alerts/delivery_trial.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/alerts/hung_sink_trial.h"
#include "tests/alerts/outage_trial.h"

namespace couplingd {
namespace {

using testing::Figures;
using testing::TrialOptions;

// In memory where there is such a folder: a sync costs nothing there.
std::string Folder(const std::string& name) {
  const std::string root = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  return root + "/couplingd-" + name + "-" + std::to_string(::getpid());
}

TEST(DeliveryTrial, LosesNothingAndRepeatsAtMostOnceForEachCrash) {
  const Figures figures = testing::RunTrials({.seed = 1000, .directory = Folder("trials")}, 60, 2);
  EXPECT_EQ(figures.violations(), 0) << testing::TextOf(figures);
  EXPECT_GT(figures.power_losses, 20);
  EXPECT_GT(figures.kills, 20);
  EXPECT_GT(figures.repeats, 0);
  EXPECT_GT(figures.failures, 100);
}

// Were these clean, the test above would show nothing.
TEST(DeliveryTrial, ShowsWhatIsLostWhereCommitsAreNotSynced) {
  const Figures figures = testing::RunTrials(
      {.seed = 1000, .directory = Folder("normal"), .normal_synchronous = true}, 60, 2);
  EXPECT_GT(figures.lost_rows, 0);
}

TEST(DeliveryTrial, ShowsWhatIsLostWhereTheRecordComesBeforeTheMessage) {
  const Figures figures =
      testing::RunTrials({.seed = 1000, .directory = Folder("early"), .record_first = true}, 60, 2);
  EXPECT_GT(figures.lost_firing + figures.lost_resolved, 0);
}

TEST(OutageTrial, AfterThreeDaysAllIsDeliveredInOrderAndTheDatabaseStayedSmall) {
  const auto outage =
      testing::RunOutage({.directory = Folder("outage"), .runs = 10, .transitions = 5000});
  EXPECT_EQ(outage.figures.violations(), 0) << testing::TextOf(outage.figures);
  EXPECT_GT(outage.figures.transitions, 3500);
  EXPECT_GT(outage.attempts_in_vain, 1000);
  EXPECT_LT(outage.growth_bytes, 100 << 20);
  EXPECT_GE(outage.fallback_minutes, 0);
  EXPECT_LE(outage.slowest_fallback_minutes, 15);
  EXPECT_LE(outage.catch_up_minutes, 15);
}

TEST(HungSinkTrial, DeliversAllToTheOthers) {
  const auto figures = testing::MeasureBesideHungSink({.directory = Folder("hung"), .alerts = 15});
  EXPECT_EQ(figures.without.size(), 30u);
  EXPECT_EQ(figures.beside.size(), 30u);
}

}  // namespace
}  // namespace couplingd
