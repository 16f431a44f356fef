// The executor with workers that are kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <thread>

#include "base/files.h"
#include "daemon/executor.h"

namespace couplingd {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::HasSubstr;

// A program that stands in for couplingd-probe serve: tells its process id as the weights' hash.
// For a checkpoint "die" it ends without a word; while a file "hold" is there it works.
constexpr const char* kProbe = R"sh(#!/bin/sh
here=$(dirname "$0")
echo "$1 $$" >> "$here/started"
while read -r line || [ -n "$line" ]; do
  case "$line" in *'"checkpoint":"/run/die"'*) exit 3;; esac
  echo '{"frame":"progress","done":1,"total":4,"task":"t"}'
  while [ -e "$here/hold" ]; do sleep 0.05; done
  echo '{"frame":"result","weights_hash":"'$$'","tokenizer_hash":"t","model_type":"llama","device":"cpu","dtype":"fp32","bos":"true","scorer":"1","parameters":1,"d_model":8,"packs":[]}'
  echo '{"frame":"exit","code":0,"signal":0,"text":"kept"}'
done
)sh";

class WarmPoolTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);  // as the daemon does
    char name[] = "/tmp/couplingd-warm-XXXXXX";
    directory_ = ::mkdtemp(name);
    ASSERT_TRUE(WriteFileAtomically(Path("probe"), kProbe, 0755));
    Make(std::chrono::minutes(1));
  }
  void TearDown() override {
    executor_.reset();
    fs::remove_all(directory_);
  }
  void Make(milliseconds keep) {
    executor_ = MakeLocalExecutor({Path("probe")}, clock_, keep);
    executor_->Serve(io_);
  }

  std::string Path(const std::string& name) const { return JoinPath(directory_, name); }

  static WorkerRequest Request(const std::string& checkpoint, const std::string& run = "/run") {
    WorkerRequest request;
    request.checkpoint = checkpoint;
    request.read_roots = {checkpoint, run};
    request.evaluation.warm_worker = true;
    return request;
  }

  bool Eventually(const std::function<bool()>& holds) {
    const auto work = asio::make_work_guard(io_);
    for (int turn = 0; turn < 600 && !holds(); ++turn) {
      io_.restart();
      io_.run_for(milliseconds(20));
    }
    return holds();
  }
  void Begin(std::int64_t tag, const WorkerRequest& request) {
    executor_->Evaluate(tag, request, [this, tag](auto given) { results_[tag] = given; });
  }
  // The process that evaluated, or the error.
  std::string End(std::int64_t tag) {
    EXPECT_TRUE(Eventually([&] { return results_.contains(tag); }));
    const auto found = results_.find(tag);
    if (found == results_.end()) return "nothing";
    return found->second ? found->second->weights_hash : found->second.error().Text();
  }
  std::string Evaluate(const WorkerRequest& request) {
    Begin(++tag_, request);
    return End(tag_);
  }
  // Requests 1 and 2, which End awaits.
  void WorkAtOnce() {
    ASSERT_TRUE(WriteFileAtomically(Path("hold"), "", 0644));
    Begin(1, Request("/run/1"));
    Begin(2, Request("/run/2"));
    ASSERT_TRUE(Eventually([&] {
      return executor_->Progress(1).fraction > 0 && executor_->Progress(2).fraction > 0;
    }));
    fs::remove(Path("hold"));
  }
  int Started() const {
    const std::string lines = ReadFile(Path("started")).value_or("");
    return static_cast<int>(std::ranges::count(lines, '\n'));
  }
  static bool Lives(const std::string& pid) { return ::kill(std::stoi(pid), 0) == 0; }

  std::string directory_;
  const SystemClock clock_;
  asio::io_context io_;
  std::unique_ptr<Executor> executor_;
  std::map<std::int64_t, Result<WorkerResult>> results_;
  std::int64_t tag_ = 0;
};

TEST_F(WarmPoolTest, CheckpointsOfOneRunAreEvaluatedByOneProcess) {
  const std::string first = Evaluate(Request("/run/1"));
  EXPECT_EQ(Evaluate(Request("/run/2")), first);
  EXPECT_EQ(Evaluate(Request("/run/3")), first);
  EXPECT_EQ(Started(), 1);
  EXPECT_EQ(executor_->running(), 0u);
}

TEST_F(WarmPoolTest, AnotherRunOrConfigurationEndsTheOneThatWaits) {
  const std::string first = Evaluate(Request("/run/1"));
  const std::string other = Evaluate(Request("/other/1", "/other"));
  EXPECT_NE(other, first);
  EXPECT_TRUE(Eventually([&] { return !Lives(first); }));
  WorkerRequest changed = Request("/other/2", "/other");
  changed.evaluation.dtype = "bf16";
  EXPECT_NE(Evaluate(changed), other);
  EXPECT_TRUE(Eventually([&] { return !Lives(other); }));
}

TEST_F(WarmPoolTest, WhatRunsAtOnceHasProcessesOfItsOwn) {
  ASSERT_NO_FATAL_FAILURE(WorkAtOnce());
  EXPECT_NE(End(1), End(2));
}

TEST_F(WarmPoolTest, OneThatWaitsTooLongIsEnded) {
  Make(milliseconds(100));
  const std::string first = Evaluate(Request("/run/1"));
  EXPECT_TRUE(Eventually([&] { return !Lives(first); }));
  EXPECT_NE(Evaluate(Request("/run/2")), first);
}

TEST_F(WarmPoolTest, OneThatDiesWhileItWaitsIsReplacedWithoutALoss) {
  const std::string first = Evaluate(Request("/run/1"));
  ASSERT_EQ(::kill(std::stoi(first), SIGKILL), 0);
  const std::string second = Evaluate(Request("/run/2"));
  EXPECT_NE(second, first);
  EXPECT_EQ(Evaluate(Request("/run/3")), second);
}

TEST_F(WarmPoolTest, ACheckpointThatEndsTheWorkerEndsOneMoreAndIsAnError) {
  const std::string first = Evaluate(Request("/run/1"));
  EXPECT_THAT(Evaluate(Request("/run/die")), HasSubstr("ended without its last frame"));
  EXPECT_EQ(Started(), 2);
  EXPECT_NE(Evaluate(Request("/run/2")), first);
}

TEST_F(WarmPoolTest, CancellingStopsTheProcess) {
  ASSERT_TRUE(WriteFileAtomically(Path("hold"), "", 0644));
  Begin(1, Request("/run/1"));
  ASSERT_TRUE(Eventually([&] { return executor_->Progress(1).fraction > 0; }));
  executor_->Cancel(1);
  EXPECT_THAT(End(1), HasSubstr("stopped"));
}

// It dies with its job unread, and another process takes the job over.
TEST_F(WarmPoolTest, CancellingStopsTheProcessThatTookTheJobOver) {
  const std::string first = Evaluate(Request("/run/1"));
  ASSERT_TRUE(WriteFileAtomically(Path("hold"), "", 0644));
  ASSERT_EQ(::kill(std::stoi(first), SIGSTOP), 0);
  Begin(7, Request("/run/2"));
  std::this_thread::sleep_for(milliseconds(300));
  ASSERT_EQ(::kill(std::stoi(first), SIGKILL), 0);
  ASSERT_TRUE(Eventually([&] { return executor_->Progress(7).fraction > 0; }));
  executor_->Cancel(7);
  EXPECT_THAT(End(7), HasSubstr("stopped"));
}

TEST_F(WarmPoolTest, ACancelledJobIsNotTakenOver) {
  const std::string first = Evaluate(Request("/run/1"));
  ASSERT_EQ(::kill(std::stoi(first), SIGSTOP), 0);
  Begin(7, Request("/run/2"));
  std::this_thread::sleep_for(milliseconds(300));
  executor_->Cancel(7);
  std::this_thread::sleep_for(milliseconds(100));
  ASSERT_EQ(::kill(std::stoi(first), SIGKILL), 0);
  EXPECT_THAT(End(7), HasSubstr("stopped"));
  EXPECT_EQ(Started(), 1);
}

TEST_F(WarmPoolTest, OfTwoThatWorkedAtOnceOneWaits) {
  ASSERT_NO_FATAL_FAILURE(WorkAtOnce());
  const std::string one = End(1), two = End(2);
  EXPECT_TRUE(Eventually([&] { return Lives(one) != Lives(two); }));
}

TEST_F(WarmPoolTest, EndingTheExecutorEndsWhatWaits) {
  const std::string first = Evaluate(Request("/run/1"));
  executor_.reset();
  EXPECT_FALSE(Lives(first));
}

TEST_F(WarmPoolTest, WithoutTheSettingEveryEvaluationHasItsOwnProcess) {
  const std::string warm = Evaluate(Request("/run/1"));
  WorkerRequest cold = Request("/run/2");
  cold.evaluation.warm_worker = false;
  EXPECT_NE(Evaluate(cold), warm);
  EXPECT_TRUE(Eventually([&] { return !Lives(warm); }));
  EXPECT_THAT(ReadFile(Path("started")).value(), HasSubstr("evaluate "));
}

}  // namespace
}  // namespace couplingd
