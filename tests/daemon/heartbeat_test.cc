// The real daemon's heartbeat: it is heard while a full cycle succeeds, and not otherwise.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <optional>
#include <thread>

#include "base/files.h"
#include "base/process.h"
#include "tests/alerts/local_server.h"
#include "tests/daemon/real_daemon.h"
#include "tests/eventually.h"

namespace couplingd {
namespace {

namespace fs = std::filesystem;
using testing::LocalServer;
using testing::ServedAnswer;
using testing::ServedRequest;

TEST(DaemonHeartbeat, WaitsForADirectoryThatIsNotThere) {
  char name[] = "/tmp/couplingd-heartbeat-XXXXXX";
  const std::string folder = ::mkdtemp(name);
  LocalServer server([](const ServedRequest&) { return ServedAnswer{}; });
  const std::string run = JoinPath(folder, "run"), log = JoinPath(folder, "log");
  ASSERT_TRUE(WriteFileAtomically(JoinPath(folder, "url"), server.Url("/beat"), 0600));
  ASSERT_TRUE(WriteFileAtomically(
      JoinPath(folder, "couplingd.yaml"),
      "store: {path: state}\nserver: {listen: none}\nruns: [{name: run, path: run}]\n"
      "watch: {scan_interval: 100ms}\n"
      "heartbeat: {url_file: url, interval: 1s, allow_private: true}\n",
      0644));
  auto daemon = StartDaemonProcess(std::string(COUPLINGD_BINARY_DIR) + "/couplingd",
                                   JoinPath(folder, "couplingd.yaml"), log);
  ASSERT_TRUE(daemon) << daemon.error().Text();
  ASSERT_TRUE(Eventually([&] { return ReadFile(log).value_or("").contains("run: "); }))
      << "it tells of the directory that is missing";
  std::this_thread::sleep_for(std::chrono::seconds(7));  // longer than between two cycles
  EXPECT_TRUE(server.Requests().empty());
  fs::create_directories(run);
  EXPECT_TRUE(Eventually([&] { return !server.Requests().empty(); })) << ReadFile(log).value_or("");
  daemon->Signal(SIGTERM);
  EXPECT_TRUE(daemon->Wait().value_or(ExitStatus{-1, 0}).ok());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace couplingd
