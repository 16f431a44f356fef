#include "daemon/executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/asio/executor_work_guard.hpp>
#include <filesystem>
#include <optional>

#include "base/files.h"

namespace couplingd {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using testing::HasSubstr;

// A program that stands in for couplingd-probe: `evaluate` tells that it began, waits until it may
// end, and sends a result; `inspect` answers with its own arguments as the reason.
constexpr const char* kProbe = R"sh(#!/bin/sh
here=$(dirname "$0")
if [ "$1" = inspect ]; then
  echo "{\"path\": \"p\", \"layout\": \"step\", \"readiness\": \"incomplete\", \"reason\": \"$*\"}"
  exit 0
fi
cat > "$here/request"
echo began >> "$here/began"
echo '{"frame":"progress","done":1,"total":4,"task":"t"}'
while [ ! -e "$here/may_end" ]; do sleep 0.05; done
echo '{"frame":"result","weights_hash":"w","tokenizer_hash":"t","model_type":"llama","device":"cpu","dtype":"fp32","bos":"true","scorer":"1","parameters":1,"d_model":8,"packs":[]}'
echo '{"frame":"exit","code":0,"signal":0,"text":"exit code 0"}'
)sh";

class ExecutorTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/couplingd-executor-XXXXXX";
    directory_ = ::mkdtemp(name);
    ASSERT_TRUE(WriteFileAtomically(Path("probe"), kProbe, 0755));
    executor_ = MakeLocalExecutor({Path("probe")}, clock_);
  }
  void TearDown() override {
    executor_.reset();
    fs::remove_all(directory_);
  }

  std::string Path(const std::string& name) const { return JoinPath(directory_, name); }
  void LetItEnd() const { ASSERT_TRUE(WriteFileAtomically(Path("may_end"), "", 0644)); }

  static WorkerRequest Request(int threads = 1) {
    WorkerRequest request;
    request.checkpoint = "/checkpoints/step-1";
    request.evaluation.threads = threads;
    return request;
  }

  // Runs callbacks until `holds`, for half a minute at most.
  static bool Eventually(asio::io_context& io, const std::function<bool()>& holds) {
    const auto work = asio::make_work_guard(io);
    for (int turn = 0; turn < 600 && !holds(); ++turn) {
      io.restart();
      io.run_for(std::chrono::milliseconds(50));
    }
    return holds();
  }
  bool Began(asio::io_context& io) const {
    return Eventually(
        io, [&] { return fs::exists(Path("began")) && executor_->Progress(7).fraction > 0; });
  }

  std::string directory_;
  const SystemClock clock_;
  std::unique_ptr<Executor> executor_;
};

TEST_F(ExecutorTest, AnEvaluationThatOutlivesItsServiceIsTakenOverByTheNext) {
  bool is_old_called = false;
  {
    asio::io_context old;
    executor_->Serve(old);
    executor_->Evaluate(7, Request(), [&](const auto&) { is_old_called = true; });
    ASSERT_TRUE(Began(old));
    executor_->Leave();
  }
  asio::io_context io;
  executor_->Serve(io);
  std::optional<Result<WorkerResult>> result;
  ASSERT_EQ(executor_->Adopt(7, Request(), [&](auto given) { result = std::move(given); }),
            Adoption::kTaken);
  EXPECT_EQ(executor_->Progress(7).fraction, 0.25);
  LetItEnd();
  ASSERT_TRUE(Eventually(io, [&] { return result.has_value(); }));
  ASSERT_TRUE(*result) << result->error().Text();
  EXPECT_EQ((*result)->weights_hash, "w");
  EXPECT_FALSE(is_old_called);
  EXPECT_EQ(executor_->running(), 0u);
}

TEST_F(ExecutorTest, WhatEndedBetweenTwoServicesWaitsForTheSecond) {
  {
    asio::io_context old;
    executor_->Serve(old);
    executor_->Evaluate(7, Request(), [](const auto&) { FAIL() << "its service has left"; });
    ASSERT_TRUE(Began(old));
    LetItEnd();
    executor_->Leave();
  }
  asio::io_context io;
  executor_->Serve(io);
  bool is_called = false;
  ASSERT_EQ(executor_->Adopt(7, Request(), [&](const auto& result) { is_called = bool(result); }),
            Adoption::kTaken);
  EXPECT_TRUE(Eventually(io, [&] { return is_called; }));
}

TEST_F(ExecutorTest, AnotherRequestStopsWhatRunsUnderItsTag) {
  asio::io_context io;
  executor_->Serve(io);
  executor_->Evaluate(7, Request(1), [](const auto&) { FAIL() << "it was given up"; });
  ASSERT_TRUE(Began(io));
  executor_->Leave();
  executor_->Serve(io);
  const auto fail = [](const auto&) { FAIL() << "nothing was adopted"; };
  EXPECT_EQ(executor_->Adopt(7, Request(2), fail), Adoption::kStopped);
  EXPECT_EQ(executor_->Adopt(8, Request(), fail), Adoption::kUnknown);
  EXPECT_EQ(executor_->running(), 0u);
}

TEST_F(ExecutorTest, ACancelledEvaluationSaysSo) {
  asio::io_context io;
  executor_->Serve(io);
  std::optional<Result<WorkerResult>> result;
  executor_->Evaluate(7, Request(), [&](auto given) { result = std::move(given); });
  ASSERT_TRUE(Began(io));
  executor_->Cancel(7);
  ASSERT_TRUE(Eventually(io, [&] { return result.has_value(); }));
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().kind, ErrorKind::kCancelled);
}

TEST_F(ExecutorTest, AProgramThatIsNotThereIsAnErrorOfTheEvaluation) {
  executor_ = MakeLocalExecutor({Path("nonesuch")}, clock_);
  asio::io_context io;
  executor_->Serve(io);
  std::optional<Result<WorkerResult>> result;
  executor_->Evaluate(7, Request(), [&](auto given) { result = std::move(given); });
  ASSERT_TRUE(Eventually(io, [&] { return result.has_value(); }));
  ASSERT_FALSE(*result);
  EXPECT_THAT(result->error().Text(), HasSubstr("nonesuch"));
}

TEST_F(ExecutorTest, TheRunsLayoutIsGivenToTheInspection) {
  asio::io_context io;
  executor_->Serve(io);
  std::vector<std::string> reasons;
  const auto keep = [&](const Result<InspectAnswer>& answer) {
    reasons.push_back(answer ? answer->reason : answer.error().Text());
  };
  executor_->Inspect("/a", "auto", keep);
  ASSERT_TRUE(Eventually(io, [&] { return reasons.size() == 1; }));
  executor_->Inspect("/b", "model", keep);
  ASSERT_TRUE(Eventually(io, [&] { return reasons.size() == 2; }));
  EXPECT_EQ(reasons[0], "inspect /a");
  EXPECT_EQ(reasons[1], "inspect /b --layout model");
}

}  // namespace
}  // namespace couplingd
