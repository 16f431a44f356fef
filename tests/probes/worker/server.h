// Runs couplingd-probe serve as the daemon does.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "base/json.h"
#include "base/process.h"
#include "tests/probes/worker/probe.h"

namespace couplingd {

// A couplingd-probe that serves.
class Server {
 public:
  explicit Server(const std::string& evaluator) {
    ProcessOptions options;
    options.arguments = {ProbePath(), "serve", "--evaluator", evaluator};
    options.environment = MinimalEnvironment();
    if (const char* search = std::getenv("LD_LIBRARY_PATH")) {
      options.environment.push_back(std::string("LD_LIBRARY_PATH=") + search);
    }
    options.pipe_stdin = options.pipe_stdout = true;
    probe_.emplace(*Process::Start(options));
  }

  // The frames of one request, up to the exit frame.
  Answer Ask(const std::string& request) {
    Send(request);
    return Receive();
  }
  void Send(const std::string& request) {
    const std::string line = request + "\n";
    EXPECT_EQ(::write(probe_->stdin_pipe().get(), line.data(), line.size()),
              static_cast<ssize_t>(line.size()));
  }
  Answer Receive() {
    Answer answer;
    while (!answer.Last("exit")) {
      std::size_t end;
      while ((end = text_.find('\n')) == std::string::npos) {
        if (!ReadMore()) return answer;
      }
      answer.frames.push_back(ParseJson(text_.substr(0, end), "frame").value());
      text_.erase(0, end + 1);
    }
    return answer;
  }
  void Signal(int signal) const { ::kill(probe_->pid(), signal); }
  // Closes its input and awaits its end.
  ExitStatus End() {
    probe_->stdin_pipe().Close();
    while (ReadMore()) {
    }
    return *probe_->Wait();
  }

 private:
  bool ReadMore() {
    pollfd polled{probe_->stdout_pipe().get(), POLLIN, 0};
    constexpr int kPatience = 30'000;
    if (::poll(&polled, 1, kPatience) <= 0) return false;
    char block[65536];
    const ssize_t got = ::read(probe_->stdout_pipe().get(), block, sizeof block);
    if (got > 0) text_.append(block, static_cast<std::size_t>(got));
    return got > 0;
  }

  std::optional<Process> probe_;
  std::string text_;
};

}  // namespace couplingd
