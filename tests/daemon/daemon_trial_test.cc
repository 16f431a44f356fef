#include "tests/daemon/daemon_trial.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace couplingd {
namespace {

TEST(DaemonTrial, TheRealDaemonLosesNothingWhileItIsKilledAndItsSinksFail) {
  const std::string root = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  const std::string directory = root + "/couplingd-daemons-" + std::to_string(::getpid());
  std::filesystem::create_directories(directory);
  const testing::Figures figures =
      testing::RunDaemonTrials({.seed = 1,
                                .directory = directory,
                                .programs = COUPLINGD_BINARY_DIR,
                                .certificates = testing::MakeCertificates(directory)},
                               4, 4);
  EXPECT_EQ(figures.violations(), 0) << testing::TextOf(figures) << " in " << directory;
  EXPECT_GT(figures.kills, 3);
  EXPECT_GT(figures.messages, 24);
  if (figures.violations() == 0) std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace couplingd
