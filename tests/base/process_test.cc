#include "base/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

namespace couplingd {
namespace {

using std::chrono::seconds;

ProcessOptions Shell(const std::string& script) {
  ProcessOptions options;
  options.arguments = {"sh", "-c", script};
  options.environment = MinimalEnvironment();
  return options;
}

TEST(RunProcess, FeedsInputAndKeepsBothOutputs) {
  const auto output = RunProcess(Shell("cat; echo problem >&2; exit 3"), "hello", seconds(20));
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, "hello");
  EXPECT_EQ(output->err, "problem\n");
  EXPECT_EQ(output->exit.code, 3);
}

TEST(RunProcess, ReadsAndDropsWhatIsBeyondTheLimit) {
  const auto output = RunProcess(Shell("head -c 1000000 /dev/zero"), "", seconds(20), 1000);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out.size(), 1000u);
  EXPECT_TRUE(output->exit.ok());
}

TEST(RunProcess, KillsTheWholeGroupAtTheTimeout) {
  const auto output = RunProcess(Shell("sleep 60 & sleep 60"), "", std::chrono::milliseconds(200));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().kind, ErrorKind::kUnavailable);
}

TEST(RunProcess, TellsASignalFromAnExitCode) {
  const auto output = RunProcess(Shell("kill -SEGV $$"), "", seconds(20));
  ASSERT_TRUE(output);
  EXPECT_EQ(output->exit.signal, SIGSEGV);
  EXPECT_EQ(output->exit.Text(), "killed by SIGSEGV");
}

TEST(RunProcess, EndsTheProgramWhenItIsToldToStop) {
  std::stop_source stop;
  stop.request_stop();
  const auto output = RunProcess(Shell("sleep 600"), "", seconds(500), 1000, stop.get_token());
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().kind, ErrorKind::kCancelled);
}

TEST(RunProcess, HasAllThatTheProgramWroteAndWaitsForNothingItLeft) {
  const auto begin = std::chrono::steady_clock::now();
  const auto output = RunProcess(Shell("sleep 600 & head -c 300000 /dev/zero"), "", seconds(500));
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out.size(), 300000u);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(100));
}

TEST(Process, ThatCannotStartIsAnErrorThatNamesTheProgram) {
  ProcessOptions options;
  options.arguments = {"/no/such/program"};
  const auto process = Process::Start(options);
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(process.error().message, testing::HasSubstr("/no/such/program"));
}

TEST(Process, InheritsNoOpenFileButItsStandardStreams) {
  const int listening = ::socket(AF_INET, SOCK_STREAM, 0);  // a library's, without SOCK_CLOEXEC
  const auto output =
      RunProcess(Shell("test -e /proc/self/fd/" + std::to_string(listening) + " && echo open"), "",
                 seconds(20));
  ::close(listening);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->out, "");
}

TEST(Process, InheritsNoEnvironmentBeyondWhatItIsGiven) {
  ::setenv("COUPLINGD_TEST_CANARY", "secret", 1);
  const auto output = RunProcess(Shell("env"), "", seconds(20));
  ASSERT_TRUE(output);
  EXPECT_THAT(output->out, testing::Not(testing::HasSubstr("CANARY")));
}

}  // namespace
}  // namespace couplingd
