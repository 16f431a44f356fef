#include "probes/worker/frames.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>

#include "base/files.h"
#include "base/json.h"

namespace couplingd {
namespace {

TEST(Frames, CarryErrorsWithoutLoss) {
  const auto frame =
      ParseJson(ErrorFrame({ErrorKind::kVanished, "m\n\x80 \"q\"", "h", true}, true), "frame");
  ASSERT_TRUE(frame);
  EXPECT_STREQ((*frame)["frame"].GetString(), "error");
  EXPECT_STREQ((*frame)["kind"].GetString(), "vanished");
  EXPECT_STREQ((*frame)["message"].GetString(), "m\n\xEF\xBF\xBD \"q\"");
  EXPECT_TRUE((*frame)["retryable"].GetBool());
  EXPECT_TRUE((*frame)["oom"].GetBool());
}

TEST(Frames, OfTheSandboxNameWhatIsMissing) {
  const auto frame = ParseJson(SandboxFrame({{"network", true, "own namespace"},
                                             {"landlock", false, "the kernel has none"}}),
                               "frame");
  ASSERT_TRUE(frame);
  EXPECT_STREQ((*frame)["text"].GetString(), "sandbox with gaps; no landlock: the kernel has none");
  EXPECT_EQ((*frame)["measures"].Size(), 2u);
}

TEST(Frames, AreRefusedWhenTheyDoNotFitOneLine) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const FileDescriptor read(ends[0]), write(ends[1]);
  FrameWriter frames(write.get());
  EXPECT_FALSE(frames.Write("{\n}"));
  EXPECT_FALSE(frames.Write(std::string(kMaxFrameBytes, 'x')));
  ASSERT_TRUE(frames.Write("{}"));
  char text[8];
  ASSERT_EQ(::read(read.get(), text, sizeof text), 3);
  EXPECT_EQ(std::string(text, 3), "{}\n");
}

TEST(Frames, SayWhenNobodyReads) {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const FileDescriptor write(ends[1]);
  ::close(ends[0]);
  const Status written = FrameWriter(write.get()).Write("{}");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace couplingd
