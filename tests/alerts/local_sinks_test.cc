// The sinks that stay on this machine: a program and a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "base/json.h"
#include "tests/alerts/test_support.h"

namespace couplingd {
namespace {

using namespace std::chrono_literals;
using testing::ExampleNotification;
using testing::FakeHttpClient;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TemporaryFolder;

class LocalSinks : public ::testing::Test {
 protected:
  std::unique_ptr<Sink> Make(SinkConfig config) {
    config.name = "sink";
    auto sinks = MakeSinks({config}, {http_, clock_});
    EXPECT_TRUE(sinks) << sinks.error().Text();
    return std::move(sinks->front());
  }
  DeliveryOutcome Run(const std::string& script, std::chrono::milliseconds timeout = 10s) {
    return Make({.kind = "command",
                 .command = {"/bin/sh", "-c", script, folder_.path()},
                 .timeout = timeout})
        ->Send(ExampleNotification(), {});
  }
  std::string Written(const std::string& name) const {
    return ReadFile(folder_.path() + "/" + name).value_or("");
  }

  const TemporaryFolder folder_;
  const SystemClock clock_;
  FakeHttpClient http_{[](const HttpRequest&) { return HttpResponse{}; }};
};

TEST_F(LocalSinks, GiveAProgramTheMessageOnItsInputAndAnEnvironmentWithoutSecrets) {
  ::setenv("AWS_SECRET_ACCESS_KEY", "SECRETENVIRONMENT", 1);
  const auto outcome = Run("cat > $0/body; env > $0/env");
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  ASSERT_EQ(outcome.result, DeliveryResult::kDelivered) << outcome.text;
  EXPECT_EQ(Written("body"), RenderWebhook(ExampleNotification()));
  EXPECT_THAT(Written("env"), Not(HasSubstr("SECRETENVIRONMENT")));
  EXPECT_THAT(Written("env"),
              HasSubstr("COUPLINGD_DELIVERY_ID=" + ExampleNotification().delivery_id));
}

TEST_F(LocalSinks, TakeTheExitStatusOfAProgramForItsAnswer) {
  const std::pair<int, DeliveryResult> cases[] = {
      {0, DeliveryResult::kDelivered},  {1, DeliveryResult::kRetry},
      {64, DeliveryResult::kPermanent}, {65, DeliveryResult::kPermanent},
      {69, DeliveryResult::kRetry},     {75, DeliveryResult::kRetry},
      {77, DeliveryResult::kPermanent}, {78, DeliveryResult::kPermanent},
      {127, DeliveryResult::kRetry}};
  for (const auto& [code, result] : cases) {
    const auto outcome = Run("echo because >&2; exit " + std::to_string(code));
    EXPECT_EQ(outcome.result, result) << code;
    EXPECT_EQ(outcome.text, "exit code " + std::to_string(code) + ": because");
  }
  EXPECT_EQ(Run("kill -TERM $$").result, DeliveryResult::kRetry);
}

TEST_F(LocalSinks, EndAProgramThatHangsWithAllThatItStarted) {
  const auto outcome = Run("sleep 600 & echo $! > $0/child; sleep 600", 300ms);
  EXPECT_EQ(outcome.result, DeliveryResult::kRetry);
  EXPECT_THAT(outcome.text, HasSubstr("did not finish within 300 ms"));
  const pid_t child = std::stoi(Written("child"));
  for (int turn = 0; turn < 100 && ::kill(child, 0) == 0; ++turn) std::this_thread::sleep_for(20ms);
  // Gone, or reaped by no one yet.
  const std::string state = ReadFile("/proc/" + std::to_string(child) + "/stat").value_or("Z");
  EXPECT_TRUE(state == "Z" || state.find(") Z ") != std::string::npos) << state;
}

TEST_F(LocalSinks, WaitForNothingThatAProgramLeavesBehind) {
  const auto begin = std::chrono::steady_clock::now();
  const auto outcome = Run("sleep 5 & exit 0", 60s);
  EXPECT_EQ(outcome.result, DeliveryResult::kDelivered) << outcome.text;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 4s);
}

TEST_F(LocalSinks, EndAProgramThatClosesItsOutputAndGoesOn) {
  EXPECT_EQ(Run("exec >&- 2>&-; sleep 600", 300ms).result, DeliveryResult::kRetry);
}

TEST_F(LocalSinks, MindNoProgramThatReadsNothing) {
  EXPECT_EQ(Run("exit 0").result, DeliveryResult::kDelivered);
}

TEST_F(LocalSinks, TryAProgramAgainThatIsNotThere) {
  const auto outcome = Make({.kind = "command", .command = {"no-such-program-anywhere"}})
                           ->Send(ExampleNotification(), {});
  EXPECT_EQ(outcome.result, DeliveryResult::kRetry);
  EXPECT_THAT(outcome.text, HasSubstr("no-such-program-anywhere"));
  EXPECT_FALSE(MakeSinks({{.name = "sink", .kind = "command", .command = {"/absent/program"}}},
                         {http_, clock_}));
}

TEST_F(LocalSinks, AppendOneLineAMessageThatOnlyTheOwnerReads) {
  const std::string path = folder_.path() + "/lines";
  const auto sink = Make({.kind = "file", .path = path});
  EXPECT_EQ(sink->Send(ExampleNotification(), {}).result, DeliveryResult::kDelivered);
  EXPECT_EQ(sink->Send(ExampleNotification(AlertState::kResolved), {}).result,
            DeliveryResult::kDelivered);
  EXPECT_EQ(Written("lines"), RenderWebhook(ExampleNotification()) + "\n" +
                                  RenderWebhook(ExampleNotification(AlertState::kResolved)) + "\n");
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(LocalSinks, GoOnInANewFileWhereTheOldOneWasMovedAway) {
  const std::string path = folder_.path() + "/lines";
  const auto sink = Make({.kind = "file", .path = path});
  sink->Send(ExampleNotification(), {});
  ASSERT_EQ(::rename(path.c_str(), (path + ".1").c_str()), 0);
  sink->Send(ExampleNotification(), {});
  EXPECT_EQ(Written("lines"), Written("lines.1"));
}

TEST_F(LocalSinks, EndALineThatACrashHasTorn) {
  const std::string path = folder_.File("lines", "{\"version\": \"4\", \"gro");
  EXPECT_EQ(Make({.kind = "file", .path = path})->Send(ExampleNotification(), {}).result,
            DeliveryResult::kDelivered);
  EXPECT_EQ(Written("lines"),
            "{\"version\": \"4\", \"gro\n" + RenderWebhook(ExampleNotification()) + "\n");
}

TEST_F(LocalSinks, LeaveNoPartOfALineWhereThereIsNoRoomForIt) {
  const std::string path = folder_.path() + "/lines";
  const auto sink = Make({.kind = "file", .path = path});
  sink->Send(ExampleNotification(), {});
  const std::string before = Written("lines");
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit tight{before.size() + 100, old.rlim_max};
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const auto outcome = sink->Send(ExampleNotification(), {});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_EQ(outcome.result, DeliveryResult::kRetry) << outcome.text;
  EXPECT_EQ(Written("lines"), before);
  EXPECT_EQ(sink->Send(ExampleNotification(), {}).result, DeliveryResult::kDelivered);
  EXPECT_EQ(Written("lines"), before + before);
  ::signal(SIGXFSZ, handler);
}

}  // namespace
}  // namespace couplingd
