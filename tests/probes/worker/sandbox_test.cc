#include "probes/worker/sandbox.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/files.h"
#include "probe.h"
#include "probes/worker/landlock.h"

namespace couplingd {
namespace {

using ::testing::AnyOf;

std::string Target(const std::string& path) { return "\"target\":\"" + path + "\""; }

class Sandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(WriteFileAtomically(place_ / "checkpoint/config.json", "{}"));
    ASSERT_TRUE(WriteFileAtomically(place_ / "elsewhere/secret", "s"));
  }
  Workplace place_;
};

TEST_F(Sandbox, ReportsEveryMeasure) {
  const Answer answer = Evaluate(place_.Request("succeed"));
  const JsonValue* note = answer.Last("note");
  ASSERT_NE(note, nullptr);
  std::set<std::string> names;
  for (const JsonValue& measure : (*note)["measures"].GetArray()) {
    names.insert(measure["name"].GetString());
    EXPECT_FALSE(std::string(measure["detail"].GetString()).empty());
  }
  EXPECT_EQ(names, (std::set<std::string>{"capabilities", "landlock", "limits", "network", "parent",
                                          "priority", "seccomp"}));
}

TEST_F(Sandbox, OpensOnlyWhatTheRequestNames) {
  if (LandlockAbi() == 0) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(Evaluate(place_.Request("read", Target(place_ / "checkpoint/config.json"))).Seen(),
            "succeeded");
  EXPECT_EQ(Evaluate(place_.Request("read", Target(place_ / "elsewhere/secret"))).Seen(), "EACCES");
  EXPECT_EQ(Evaluate(place_.Request("read", Target("/etc/passwd"))).Seen(), "EACCES");
  EXPECT_EQ(Evaluate(place_.Request("read", Target(place_ / "elsewhere/secret") +
                                                R"(,"read_roots":[")" + place_.path() + "\"]"))
                .Seen(),
            "succeeded");
}

TEST_F(Sandbox, WritesOnlyScores) {
  if (LandlockAbi() == 0) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(Evaluate(place_.Request("write", Target(place_ / "scores/plan"))).Seen(), "succeeded");
  EXPECT_TRUE(std::filesystem::exists(place_ / "scores/plan"));
  EXPECT_EQ(Evaluate(place_.Request("write", Target(place_ / "checkpoint/x"))).Seen(), "EACCES");
  EXPECT_EQ(Evaluate(place_.Request("write", Target(place_ / "elsewhere/x"))).Seen(), "EACCES");
  EXPECT_EQ(Evaluate(place_.Request("write", Target("/tmp/couplingd-escape"))).Seen(), "EACCES");
}

TEST_F(Sandbox, ReachesNoListenerOnLoopback) {
  const FileDescriptor listener(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string port = "\"port\":" + std::to_string(ntohs(address.sin_port));
  EXPECT_THAT(Evaluate(place_.Request("connect", port)).Seen(),
              AnyOf("EPERM", "EACCES", "ENETUNREACH"));
}

TEST_F(Sandbox, StartsNoProcessesAndNoPrograms) {
  EXPECT_EQ(Evaluate(place_.Request("fork")).Seen(), "EPERM");
  EXPECT_THAT(Evaluate(place_.Request("exec")).Seen(), AnyOf("EPERM", "EACCES"));
}

TEST_F(Sandbox, LeavesThreadsAndTheirNames) {
  EXPECT_EQ(Evaluate(place_.Request("name thread")).Seen(), "succeeded");
}

}  // namespace
}  // namespace couplingd
