// What `couplingctl evaluate` shows while it goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <sstream>

#include "base/files.h"
#include "cli/cli.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class NoDaemon final : public HttpClient {
 public:
  Result<HttpResponse> Send(const HttpRequest&) override {
    return Fail(ErrorKind::kUnavailable, "refused");
  }
};

// Every look at it is half a second later than the one before.
class TickingClock final : public Clock {
 public:
  UnixMillis Now() const override { return clock_.Now(); }
  std::chrono::steady_clock::time_point Steady() const override {
    clock_.Advance(std::chrono::milliseconds(500));
    return clock_.Steady();
  }

 private:
  mutable ManualClock clock_{0};
};

// A stand-in for couplingd-probe that was at 40 % when it began.
constexpr const char* kProbe = R"SH(#!/bin/sh
cat > /dev/null
echo '{"frame":"progress","done":40,"total":100,"task":"arc"}'
echo '{"frame":"progress","done":41,"total":100,"task":"arc"}'
echo '{"frame":"error","kind":"usage","message":"stop","hint":"","retryable":false}'
)SH";

TEST(EvaluateProgress, SaysOnATerminalHowLongItWillTakeAndElsewhereNothing) {
  std::string folder = ::testing::TempDir() + "progress-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string probe = folder + "/couplingd-probe";
  ASSERT_TRUE(WriteFileAtomically(probe, kProbe, 0755));
  ASSERT_TRUE(MakeDirectories(folder + "/model"));
  const auto shown = [&](bool err_is_terminal) {
    NoDaemon http;
    const TickingClock clock;
    const CliServices services{http, clock, {{"TMPDIR", folder}}, folder, folder + "/none.yaml"};
    std::ostringstream out, err;
    EXPECT_EQ(RunCli({"evaluate", folder + "/model", "--pack", probe}, services,
                     {out, err, false, err_is_terminal}),
              64);
    return err.str();
  };
  const std::string line = shown(true);
  EXPECT_THAT(line, HasSubstr("[##########...............]  40% arc\r"));
  EXPECT_THAT(line, HasSubstr("[##########...............]  41% arc, 58s left\r"));
  EXPECT_THAT(shown(false), Not(HasSubstr("arc")));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace couplingd
