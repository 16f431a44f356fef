#include <gmock/gmock.h>
#include <signal.h>

#include <thread>

#include "base/files.h"
#include "probe.h"
#include "probes/worker/frames.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

struct End {
  std::string behaviour;
  int code, signal;
  bool out_of_memory;
  std::string kind;
  std::string message;
  std::string more;
  int status;
};

void PrintTo(const End& end, std::ostream* out) { *out << end.behaviour; }

class EvaluationThatEnds : public ::testing::TestWithParam<End> {};

TEST_P(EvaluationThatEnds, IsReportedWithItsCauseAndItsWaitStatus) {
  const End& end = GetParam();
#if defined(__SANITIZE_ADDRESS__)
  if (end.behaviour == "segfault" || end.behaviour.starts_with("allocate")) {
    GTEST_SKIP() << "the address sanitizer answers this itself";
  }
#endif
  const Workplace place;
  const Answer answer = Evaluate(place.Request(end.behaviour, end.more));
  const JsonValue* exit = answer.Last("exit");
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ((*exit)["code"].GetInt(), end.code);
  EXPECT_EQ((*exit)["signal"].GetInt(), end.signal);
  EXPECT_EQ((*exit)["oom"].GetBool(), end.out_of_memory);
  EXPECT_GT((*exit)["max_rss_bytes"].GetInt64(), 1 << 20);
  ASSERT_EQ(answer.Count("error"), 1u);
  const JsonValue& error = *answer.Last("error");
  EXPECT_EQ(error["kind"].GetString(), end.kind);
  EXPECT_THAT(error["message"].GetString(), HasSubstr(end.message));
  EXPECT_EQ(answer.exit.code, end.status);
  EXPECT_EQ(answer.exit.signal, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Probe, EvaluationThatEnds,
    ::testing::Values(
        End{"segfault", 0, SIGSEGV, false, "internal", "killed by SIGSEGV", "", 70},
        End{"abort", 0, SIGABRT, false, "internal", "last words: assertion of the library failed",
            "", 70},
        End{"killed", 0, SIGKILL, true, "exhausted", "ran out of memory", "", 69},
        End{"hang", 0, SIGKILL, false, "exhausted", "did not finish within 1 s",
            R"("timeout_s":1,"grace_ms":200)", 69},
        End{"stop", 0, SIGKILL, false, "exhausted", "did not finish within 1 s",
            R"("timeout_s":1,"grace_ms":200)", 69},
        End{"no result", 0, 0, false, "internal", "ended without a result", "", 70},
        End{"silent failure", 3, 0, false, "internal", "exit code 3 and did not say why", "", 70},
        End{"error", 65, 0, false, "unsupported", "no such model", "", 65},
        End{"throw", 70, 0, false, "internal", "shape mismatch", "", 70},
        End{"allocate", 69, 0, true, "exhausted", "ran out of memory",
            R"("memory_limit_bytes":268435456)", 69},
        End{"allocate in thread", 0, SIGABRT, true, "exhausted", "std::bad_alloc",
            R"("memory_limit_bytes":268435456)", 69},
        End{"garbage", 0, SIGKILL, false, "internal", "something that is not a frame", "", 70},
        End{"forged exit", 0, SIGKILL, false, "internal", "something that is not a frame", "", 70},
        End{"endless line", 0, SIGKILL, false, "internal", "a line longer than a frame may be", "",
            70},
        End{"endless frames", 0, SIGKILL, false, "internal", "more than it may altogether", "",
            70}),
    [](const auto& info) {
      std::string name = info.param.behaviour;
      std::ranges::replace(name, ' ', '_');
      return name;
    });

TEST(Evaluation, ThatSucceedsRelaysItsFramesAndEndsWithTheExitFrame) {
  const Workplace place;
  const Answer answer = Evaluate(place.Request("succeed"));
  EXPECT_TRUE(answer.exit.ok());
  EXPECT_EQ(answer.Count("error"), 0u);
  EXPECT_EQ(answer.Count("result"), 1u);
  const JsonValue& exit = *answer.Last("exit");
  EXPECT_EQ(exit["code"].GetInt(), 0);
  EXPECT_STREQ(exit["text"].GetString(), "exit code 0");
}

TEST(Evaluation, KeepsWhatALibraryPrintsOutOfTheFrames) {
  const Workplace place;
  const Answer answer = Evaluate(place.Request("print"));
  EXPECT_TRUE(answer.exit.ok());
  EXPECT_THAT(answer.err, HasSubstr("a library prints"));
}

TEST(Evaluation, GetsAMinimalEnvironmentAndTheSettledRequest) {
  const Workplace place;
  const Answer answer = Evaluate(place.Request("describe", R"("threads":2,"seed":9)"),
                                 ModulePath("fake_evaluator"), {"SLACK_URL=secret"});
  ASSERT_NE(answer.Last("result"), nullptr);
  const JsonValue& result = *answer.Last("result");
  EXPECT_THAT(result["environment"].GetString(), HasSubstr("OMP_NUM_THREADS=2"));
  EXPECT_THAT(result["environment"].GetString(), HasSubstr("CUDA_VISIBLE_DEVICES=\n"));
  EXPECT_THAT(result["environment"].GetString(), ::testing::Not(HasSubstr("secret")));
  EXPECT_THAT(result["request"].GetString(), HasSubstr("\"seed\":9"));
  EXPECT_GE(result["nice"].GetInt(), 10);
}

// A probe whose child hangs and ignores SIGTERM.
class HangingProbe {
 public:
  HangingProbe() {
    ProcessOptions options;
    options.arguments = {ProbePath(), "evaluate", "--evaluator", ModulePath("fake_evaluator")};
    options.environment = MinimalEnvironment();
    options.pipe_stdin = options.pipe_stdout = true;
    probe_.emplace(*Process::Start(options));
    const std::string request = place_.Request("hang", R"("grace_ms":200)");
    EXPECT_EQ(::write(probe_->stdin_pipe().get(), request.data(), request.size()),
              static_cast<ssize_t>(request.size()));
    probe_->stdin_pipe().Close();
    while (!out_.contains("\"pid\"") && ReadMore()) {
    }
  }

  pid_t pid() const { return probe_->pid(); }
  pid_t child() const {
    const std::string_view key = "\"topic\":\"pid\",\"text\":\"";
    return static_cast<pid_t>(std::stol(out_.substr(out_.find(key) + key.size())));
  }
  ExitStatus End() {
    while (ReadMore()) {
    }
    return *probe_->Wait();
  }
  const std::string& out() const { return out_; }

 private:
  bool ReadMore() {
    char block[4096];
    const ssize_t got = ::read(probe_->stdout_pipe().get(), block, sizeof block);
    if (got > 0) out_.append(block, static_cast<std::size_t>(got));
    return got > 0;
  }

  Workplace place_;
  std::optional<Process> probe_;
  std::string out_;
};

TEST(Evaluation, IsStoppedByASignalToItsParent) {
  HangingProbe probe;
  ::kill(probe.pid(), SIGTERM);
  EXPECT_EQ(probe.End().code, 70);
  EXPECT_THAT(probe.out(), HasSubstr("\"kind\":\"cancelled\""));
  EXPECT_THAT(probe.out(), HasSubstr("killed by SIGKILL"));
}

TEST(Evaluation, DoesNotOutliveAKilledParent) {
  HangingProbe probe;
  const pid_t child = probe.child();
  ASSERT_EQ(::kill(child, 0), 0);
  ::kill(probe.pid(), SIGKILL);
  EXPECT_EQ(probe.End().signal, SIGKILL);
  const std::string status = "/proc/" + std::to_string(child) + "/stat";
  const auto lives = [&] {
    const auto text = ReadFile(status);
    return text && !text->contains(") Z ");
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (lives() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_FALSE(lives());
}

TEST(Evaluation, WithoutAFittingEvaluatorSaysSo) {
  const Workplace place;
  const Answer old = Evaluate(place.Request("succeed"), ModulePath("old_evaluator"));
  EXPECT_THAT((*old.Last("error"))["message"].GetString(),
              HasSubstr("has interface version 3, this program needs 2"));
  EXPECT_EQ(old.exit.code, 69);
  const Answer foreign = Evaluate(place.Request("succeed"), ModulePath("fake_nvml"));
  EXPECT_THAT((*foreign.Last("error"))["message"].GetString(),
              HasSubstr("is not an evaluator library"));
  const Answer none = Evaluate(place.Request("succeed"), "/no/such.so");
  EXPECT_THAT((*none.Last("error"))["message"].GetString(), HasSubstr("/no/such.so"));
}

TEST(Evaluation, OfABadRequestIsAnErrorAndAnExitFrame) {
  const Answer answer = Evaluate("{\"checkpoint\": 5}");
  EXPECT_EQ(answer.exit.code, 65);
  EXPECT_THAT((*answer.Last("error"))["message"].GetString(),
              HasSubstr("\"checkpoint\" must be a string"));
}

}  // namespace
}  // namespace couplingd
