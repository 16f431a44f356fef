// couplingd-probe serve, with the evaluator that misbehaves on request.
#include "probes/worker/warm_worker.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "base/files.h"
#include "probe.h"
#include "server.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

int Calls(const Answer& answer) {
  const JsonValue* result = answer.Last("result");
  return result ? (*result)["calls"].GetInt() : -1;
}
int Pid(const Answer& answer) {
  const JsonValue* result = answer.Last("result");
  return result ? (*result)["pid"].GetInt() : -1;
}
std::string Notes(const Answer& answer) {
  std::string notes;
  for (const JsonDocument& frame : answer.frames) {
    if (std::string_view(frame["frame"].GetString()) == "note") notes += frame["text"].GetString();
  }
  return notes;
}
bool Lives(int pid) {
  const auto text = ReadFile("/proc/" + std::to_string(pid) + "/stat");
  return text && !text->contains(") Z ");
}
bool Dies(int pid) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (Lives(pid) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return !Lives(pid);
}

TEST(WarmWorker, ServesOneRequestAfterTheOtherInOneProcess) {
  const Workplace place;
  Server server(ModulePath("fake_evaluator"));
  const Answer first = server.Ask(place.Request("count"));
  const Answer second = server.Ask(place.Request("count"));
  EXPECT_EQ(Calls(first), 1);
  EXPECT_EQ(Calls(second), 2);
  EXPECT_EQ(Pid(second), Pid(first));
  EXPECT_THAT(Notes(first), HasSubstr("sandbox"));
  EXPECT_EQ((*second.Last("exit"))["code"].GetInt(), 0);
  EXPECT_STREQ((*second.Last("exit"))["text"].GetString(), "kept for the next evaluation");
  EXPECT_EQ(second.Count("idle"), 0u);
  EXPECT_TRUE(Lives(Pid(first)));
  EXPECT_TRUE(server.End().ok());
  EXPECT_TRUE(Dies(Pid(first)));
}

TEST(WarmWorker, ThatCrashesCostsThatEvaluationAProcessAndNoMore) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the address sanitizer answers this itself";
#endif
  const Workplace place;
  Server server(ModulePath("fake_evaluator"));
  const Answer first = server.Ask(place.Request("count"));
  const Answer again = server.Ask(place.Request("crash again"));
  EXPECT_EQ(Calls(again), 1);
  EXPECT_NE(Pid(again), Pid(first));
  EXPECT_EQ(again.Count("error"), 0u);
  EXPECT_EQ(again.Count("exit"), 1u);
  EXPECT_THAT(Notes(again), HasSubstr("evaluated again in a new process"));
  EXPECT_THAT(Notes(again), HasSubstr("killed by SIGSEGV"));
  EXPECT_FALSE(Lives(Pid(first)));
  EXPECT_EQ(Calls(server.Ask(place.Request("count"))), 2);
}

TEST(WarmWorker, ThatFailsIsNotBelievedBeforeANewOneSaysSo) {
  const Workplace place;
  Server server(ModulePath("fake_evaluator"));
  EXPECT_EQ(Calls(server.Ask(place.Request("count"))), 1);
  const Answer again = server.Ask(place.Request("fail again"));
  EXPECT_EQ(Calls(again), 1);
  EXPECT_EQ(again.Count("error"), 0u);
  EXPECT_THAT(Notes(again), HasSubstr("NaN in the logits"));
  const Answer bad = server.Ask(place.Request("error"));
  EXPECT_EQ(bad.Count("error"), 1u);
  EXPECT_STREQ((*bad.Last("error"))["message"].GetString(), "no such model");
  EXPECT_EQ((*bad.Last("exit"))["code"].GetInt(), 65);
  EXPECT_EQ(Calls(server.Ask(place.Request("count"))), 1);
}

TEST(WarmWorker, ThatEndsWhileItWaitsIsReplaced) {
  const Workplace place;
  Server server(ModulePath("fake_evaluator"));
  const Answer first = server.Ask(place.Request("die later"));
  ASSERT_EQ(Calls(first), 1);
  EXPECT_TRUE(Dies(Pid(first)));
  const Answer second = server.Ask(place.Request("count"));
  EXPECT_EQ(Calls(second), 1);
  EXPECT_THAT(Notes(second), Not(HasSubstr("evaluated again")));
}

TEST(WarmWorker, KeepsItsSandboxAndGivesWayWhereARequestNeedsMore) {
  const Workplace place;
  for (const char* name : {"run/a", "run/b"}) {
    std::filesystem::create_directories(place / name);
    std::ofstream(place / (std::string(name) + "/file")) << "x";
  }
  std::ofstream(place / "elsewhere/file") << "x";
  const auto request = [&](const std::string& behaviour, const std::string& checkpoint,
                           const std::string& target, const std::string& roots) {
    std::string text = place.Request(
        behaviour, "\"target\":\"" + place / target + "\",\"read_roots\":[" + roots + "]");
    const std::string from = place / "checkpoint";
    return text.replace(text.find(from), from.size(), place / checkpoint);
  };
  const std::string run = "\"" + place / "run" + "\"";
  Server server(ModulePath("fake_evaluator"));
  EXPECT_EQ(Calls(server.Ask(request("count", "run/a", "", run))), 1);
  EXPECT_EQ(server.Ask(request("read", "run/b", "run/b/file", run)).Seen(), "succeeded");
  EXPECT_EQ(server.Ask(request("read", "run/b", "elsewhere/file", run)).Seen(), "EACCES");
  EXPECT_EQ(Calls(server.Ask(request("count", "run/b", "", run))), 4);

  const std::string both = run + ",\"" + place / "elsewhere" + "\"";
  EXPECT_EQ(Calls(server.Ask(request("count", "elsewhere", "", both))), 1);
  EXPECT_EQ(Calls(server.Ask(request("count", "run/a", "", run))), 2);
}

TEST(WarmWorker, ThatHasGrownIsReplaced) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the address sanitizer keeps memory by itself";
#endif
  const Workplace place;
  Server server(ModulePath("fake_evaluator"));
  const Answer first = server.Ask(place.Request("grow"));
  EXPECT_EQ(Calls(server.Ask(place.Request("count"))), 2);
  const Answer third = server.Ask(place.Request("grow"));
  EXPECT_EQ(Calls(third), 3);
  EXPECT_TRUE(Dies(Pid(first)));
  EXPECT_EQ(Calls(server.Ask(place.Request("count"))), 1);
}

TEST(WarmWorker, IsNotAskedAgainWhatTookTooLong) {
  const Workplace place;
  Server server(ModulePath("fake_evaluator"));
  EXPECT_EQ(Calls(server.Ask(place.Request("count"))), 1);
  const Answer late = server.Ask(place.Request("hang", R"("timeout_s":1,"grace_ms":200)"));
  EXPECT_EQ(late.Count("error"), 1u);
  EXPECT_THAT((*late.Last("error"))["message"].GetString(), HasSubstr("did not finish within 1 s"));
  EXPECT_EQ(Calls(server.Ask(place.Request("count"))), 1);
}

TEST(WarmWorker, EndsOnASignal) {
  const Workplace place;
  Server idle(ModulePath("fake_evaluator"));
  const Answer first = idle.Ask(place.Request("count"));
  idle.Signal(SIGTERM);
  EXPECT_TRUE(Dies(Pid(first)));
  EXPECT_TRUE(idle.End().ok());

  Server busy(ModulePath("fake_evaluator"));
  EXPECT_EQ(Calls(busy.Ask(place.Request("count"))), 1);
  busy.Send(place.Request("hang", R"("grace_ms":200)"));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  busy.Signal(SIGTERM);
  const Answer stopped = busy.Receive();
  ASSERT_EQ(stopped.Count("error"), 1u);
  EXPECT_STREQ((*stopped.Last("error"))["kind"].GetString(), "cancelled");
  EXPECT_EQ(busy.End().code, 70);
}

TEST(WarmWorker, GivesItsGpuUpWhereSomebodyElseComputesThere) {
  const Workplace place;
  const std::string requests = place / "requests", frames = place / "frames";
  const std::string line = place.Request("count") + "\n";
  ASSERT_TRUE(WriteFileAtomically(requests, line + line + line));
  const FileDescriptor in(::open(requests.c_str(), O_RDONLY | O_CLOEXEC));
  const FileDescriptor out(::open(frames.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const SystemClock clock;
  WarmWorkerParts parts{.clock = clock, .input_fd = in.get(), .output_fd = out.get()};
  parts.choose = [](const EvaluateRequest&) -> Result<GpuChoice> {
    return GpuChoice{.device = "cuda:0", .visible = "GPU-1"};
  };
  int asked = 0;
  parts.is_alone = [&](const std::string& uuid, int pid) {
    EXPECT_EQ(uuid, "GPU-1");
    EXPECT_TRUE(Lives(pid));
    return ++asked == 1;
  };
  parts.child = [&](const EvaluateRequest&, const GpuChoice&) {
    return SuperviseOptions{
        .arguments = {ProbePath(), "evaluate-child", "--evaluator", ModulePath("fake_evaluator")},
        .environment = MinimalEnvironment(),
        .output_fd = out.get()};
  };
  ASSERT_TRUE(WarmWorker(std::move(parts)).Serve());
  std::vector<int> calls;
  std::istringstream text(ReadFile(frames).value());
  for (std::string frame; std::getline(text, frame);) {
    const JsonDocument json = ParseJson(frame, "frame").value();
    if (json.HasMember("calls")) calls.push_back(json["calls"].GetInt());
  }
  EXPECT_EQ(calls, (std::vector<int>{1, 2, 1}));
}

TEST(WarmWorker, AnswersABadRequestAndGoesOn) {
  const Workplace place;
  Server server(ModulePath("fake_evaluator"));
  EXPECT_EQ(Calls(server.Ask(place.Request("count"))), 1);
  const Answer bad = server.Ask("{\"checkpoint\": 5}");
  EXPECT_EQ(bad.Count("error"), 1u);
  EXPECT_EQ((*bad.Last("exit"))["code"].GetInt(), 65);
  EXPECT_EQ(Calls(server.Ask(place.Request("count"))), 2);
}

}  // namespace
}  // namespace couplingd
