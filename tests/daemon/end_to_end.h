// The stage of end_to_end_test: a store, a daemon's configuration, a receiver, and a trainer's
// checkpoints to lay before it.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "demo/receiver.h"
#include "demo/stage.h"
#include "tests/daemon/real_daemon.h"
#include "tests/eventually.h"

namespace couplingd {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

inline std::string Program(const std::string& name) {
  return std::string(COUPLINGD_BINARY_DIR) + "/" + name;
}

inline ProcessOutput Call(std::vector<std::string> arguments) {
  ProcessOptions options;
  options.arguments = std::move(arguments);
  options.environment = MinimalEnvironment();
  const auto output = RunProcess(options, "", std::chrono::minutes(5));
  EXPECT_TRUE(output) << output.error().Text();
  return output.value_or(ProcessOutput{});
}

class EndToEnd : public testing::Test {
 protected:
  // A width-8 model at three steps, trained once.
  static void SetUpTestSuite() {
    char name[] = "/tmp/couplingd-trained-XXXXXX";
    trained_ = ::mkdtemp(name);
    const ProcessOutput training = Call({Program("couplingd-demo-train"), "--width", "8", "--steps",
                                         "60", "--save-at", "20,40,60", "--out", trained_});
    ASSERT_TRUE(training.exit.ok()) << training.err;
  }
  static void TearDownTestSuite() { fs::remove_all(trained_); }

  void SetUp() override {
    char name[] = "/tmp/couplingd-e2e-XXXXXX";
    directory_ = ::mkdtemp(name);
    auto receiver = Receiver::Start();
    ASSERT_TRUE(receiver);
    receiver_ = *std::move(receiver);
    StageOptions options;
    options.directory = directory_;
    options.mixes = {Mix::kWeb};
    options.widths = {8};
    const auto stage = SetStage(options, receiver_->Url());
    ASSERT_TRUE(stage) << stage.error().Text();
    config_ = stage->config;
    run_ = stage->runs[0].directory;
  }
  void TearDown() override {
    daemon_.reset();
    fs::remove_all(directory_);
  }

  std::string Checkpoint(int step) const {
    return JoinPath(run_, "checkpoint-" + std::to_string(step));
  }
  // Copies as a trainer writes: the marker comes last.
  void Lay(int step, int trained_step = 0) const {
    const std::string from =
        JoinPath(trained_, "checkpoint-" + std::to_string(trained_step ? trained_step : step));
    fs::remove_all(Checkpoint(step));
    fs::create_directories(Checkpoint(step));
    for (const char* file :
         {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}) {
      fs::copy_file(JoinPath(from, file), JoinPath(Checkpoint(step), file));
    }
    std::ofstream(JoinPath(Checkpoint(step), "trainer_state.json"))
        << "{\"global_step\": " << step << ", \"num_input_tokens_seen\": " << step * 448 << "}";
  }

  // The demo's models take 64 tokens, which the prompts about a model's inside exceed. Positions
  // are rotary: no weight depends on how many there are.
  void Lengthen(int step) const {
    const std::string path = JoinPath(Checkpoint(step), "config.json");
    std::string config = ReadFile(path).value();
    const std::string from = "\"max_position_embeddings\":64";
    ASSERT_NE(config.find(from), std::string::npos) << config;
    config.replace(config.find(from), from.size(), "\"max_position_embeddings\":512");
    ASSERT_TRUE(WriteFileAtomically(path, config, 0644));
  }

  void Configure(const std::string& from, const std::string& to) const {
    std::string yaml = ReadFile(config_).value();
    ASSERT_NE(yaml.find(from), std::string::npos);
    yaml.replace(yaml.find(from), from.size(), to);
    ASSERT_TRUE(WriteFileAtomically(config_, yaml, 0644));
  }

  ProcessOutput Once() const { return Call({Program("couplingd"), "--once", config_}); }

  // Every evaluation leaves a line in a file and waits until LetThemEnd().
  void HoldEvaluations() const {
    const std::string script = JoinPath(directory_, "held-probe");
    const std::string text =
        "#!/bin/sh\nif [ \"$1\" = evaluate ]; then\n  echo started >> " +
        JoinPath(directory_, "started") + "\n  while [ ! -e " + JoinPath(directory_, "may_end") +
        " ]; do sleep 0.05; done\nfi\nexec " + Program("couplingd-probe") + " \"$@\"\n";
    ASSERT_TRUE(WriteFileAtomically(script, text, 0755));
    Configure("rules:\n", "executor: {kind: command, command: [" + script + "]}\nrules:\n");
  }
  void LetThemEnd() const {
    ASSERT_TRUE(WriteFileAtomically(JoinPath(directory_, "may_end"), "", 0644));
  }
  std::ptrdiff_t Started() const {
    const auto lines = ReadFile(JoinPath(directory_, "started"));
    return lines ? std::ranges::count(*lines, '\n') : 0;
  }
  std::string Log() const { return ReadFile(JoinPath(directory_, "log")).value_or(""); }

  void StartDaemon() {
    auto process = StartDaemonProcess(Program("couplingd"), config_, JoinPath(directory_, "log"));
    ASSERT_TRUE(process) << process.error().Text();
    daemon_.emplace(*std::move(process));
    ASSERT_TRUE(Eventually([&] { return Ask("status").HasMember("daemon"); }));
  }
  // SIGTERM, and the exit status.
  ExitStatus EndDaemon() {
    daemon_->Signal(SIGTERM);
    const auto exit = daemon_->Wait();
    daemon_.reset();
    return exit.value_or(ExitStatus{-1, 0});
  }

  JsonDocument Ask(const std::string& verb) const {
    const ProcessOutput output =
        Call({Program("couplingctl"), "--config", config_, verb, "--json"});
    auto json = ParseJson(output.out, verb);
    if (!json) return JsonDocument(rapidjson::kObjectType);
    return *std::move(json);
  }

  // "20 evaluated, 40 waiting" of all generations, by the order of the answer.
  std::string States() const {
    const ProcessOutput output = Call({Program("couplingctl"), "--config", config_, "checkpoints",
                                       "--generation", "all", "--json"});
    const auto json = ParseJson(output.out, "checkpoints");
    std::string states;
    if (!json || !json->IsArray()) return output.err;
    for (const JsonValue& row : json->GetArray()) {
      states += (states.empty() ? "" : ", ") + std::to_string(row["step"].GetInt64()) + " " +
                row["state"].GetString();
    }
    return states;
  }

  static inline std::string trained_;
  std::string directory_, config_, run_;
  std::unique_ptr<Receiver> receiver_;
  std::optional<Process> daemon_;
};

}  // namespace couplingd
