#include "demo/show.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <list>

#include "base/files.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/process.h"
#include "demo/receiver.h"

namespace couplingd {
namespace {

constexpr int kTurn = 250;  // milliseconds between two looks
constexpr int kBarWidth = 40;

std::atomic<bool> interrupted = false;

void OnInterrupt(int) { interrupted = true; }

std::string Bar(std::size_t done, std::size_t all) {
  const std::size_t filled = all == 0 ? 0 : done * kBarWidth / all;
  return fmt::format("[{}{}] {:>3}/{}", std::string(filled, '#'),
                     std::string(kBarWidth - filled, '-'), done, all);
}

class Performance {
 public:
  explicit Performance(const ShowOptions& options)
      : options_(options),
        on_terminal_(::isatty(1) == 1 && !options.quiet),
        http_(MakeCurlHttpClient()) {}

  Status Run() {
    receiver_ = TRY(Receiver::Start());
    stage_ = TRY(SetStage(options_.stage, receiver_->Url()));
    for (const StagedRun& run : stage_.runs) waiting_.push_back(run);
    std::sort(waiting_.begin(), waiting_.end(),
              [](const StagedRun& a, const StagedRun& b) { return a.width > b.width; });
    TRY(StartDaemon());
    while (!interrupted && !TRY(IsOver())) {
      TRY(StartTrainers());
      WatchTrainers();
      TRY(AskDaemon());
      PrintAlerts();
      PrintProgress(false);
    }
    PrintProgress(true);
    if (interrupted) return Fail(ErrorKind::kCancelled, "stopped");
    TRY(PrintOutcome());
    return StopDaemon();
  }

 private:
  struct Trainer {
    Process process;
    StagedRun run;
    std::string unread;
  };

  std::string Program(const std::string& name) const { return JoinPath(options_.programs, name); }
  std::size_t Planned() const { return stage_.runs.size() * options_.stage.save_at.size(); }

  Status StartDaemon() {
    log_ = JoinPath(options_.stage.directory, "couplingd.log");
    ProcessOptions options;
    options.arguments = {"/bin/sh",     "-c", "exec \"$0\" \"$1\" 2> \"$2\"", Program("couplingd"),
                         stage_.config, log_};
    options.environment = MinimalEnvironment();
    daemon_.emplace(TRY(Process::Start(options)));
    return {};
  }

  Status StartTrainers() {
    while (!waiting_.empty() && trainers_.size() < static_cast<std::size_t>(options_.trainers)) {
      const StagedRun run = waiting_.front();
      waiting_.pop_front();
      ProcessOptions options;
      options.arguments = {Program("couplingd-demo-train"),
                           "--mix",
                           std::string(ToString(run.mix)),
                           "--width",
                           std::to_string(run.width),
                           "--seed",
                           std::to_string(options_.stage.seed),
                           "--steps",
                           std::to_string(options_.stage.save_at.back()),
                           "--save-at",
                           fmt::format("{}", fmt::join(options_.stage.save_at, ",")),
                           "--out",
                           run.directory};
      options.environment = MinimalEnvironment();
      options.environment.push_back("OMP_NUM_THREADS=1");
      options.pipe_stdout = true;
      trainers_.push_back({TRY(Process::Start(options)), run, ""});
    }
    return {};
  }

  // Waits a turn, takes what the trainers printed, and buries those that ended.
  void WatchTrainers() {
    std::vector<pollfd> polled;
    for (Trainer& trainer : trainers_)
      polled.push_back({trainer.process.stdout_pipe().get(), POLLIN, 0});
    ::poll(polled.data(), polled.size(), kTurn);
    std::size_t index = 0;
    for (auto trainer = trainers_.begin(); trainer != trainers_.end(); ++index) {
      char block[4096];
      const bool readable = polled[index].revents != 0;
      const ssize_t got = readable ? ::read(polled[index].fd, block, sizeof block) : -1;
      if (got > 0) saved_ += static_cast<std::size_t>(std::count(block, block + got, '\n'));
      if (!readable || got > 0) {
        ++trainer;
        continue;
      }
      const Result<ExitStatus> exit = trainer->process.Wait();
      if (!exit || !exit->ok()) failed_trainers_.push_back(trainer->run.name);
      trainer = trainers_.erase(trainer);
    }
  }

  Result<JsonDocument> Ask(const std::string& verb) {
    HttpRequest request;
    request.url = Secret("http://couplingd/api/v1/" + verb);
    request.unix_socket = JoinPath(options_.stage.directory, "state/couplingd.sock");
    request.max_response_bytes = 16u << 20;
    const HttpResponse response = TRY(http_->Send(request));
    return ParseJson(response.body, verb);
  }

  // Until the daemon answers there is nothing to count.
  Status AskDaemon() {
    const Result<JsonDocument> status = Ask("status");
    if (!status) {
      if (++silent_turns_ < 80) return {};
      return Fail(ErrorKind::kUnavailable, "the daemon does not answer", "see " + log_);
    }
    silent_turns_ = 0;
    const auto count = [&](const char* group, const char* state) -> std::size_t {
      const JsonValue* counts = FindMember(*status, group);
      const JsonValue* number = counts ? FindMember(*counts, state) : nullptr;
      return number && number->IsUint64() ? number->GetUint64() : 0;
    };
    evaluated_ = count("checkpoints", "evaluated");
    put_aside_ = count("checkpoints", "failed") + count("checkpoints", "refused") +
                 count("checkpoints", "vanished");
    pending_ = count("deliveries", "pending");
    return {};
  }

  // Everything saved has been dealt with, and nothing new has happened for some turns (the last
  // estimates take a moment).
  Result<bool> IsOver() {
    const bool rests = waiting_.empty() && trainers_.empty() && evaluated_ + put_aside_ >= saved_ &&
                       pending_ == 0 && saved_ > 0;
    resting_turns_ = rests ? resting_turns_ + 1 : 0;
    return resting_turns_ >= 12;
  }

  void PrintProgress(bool last) {
    if (options_.quiet) return;
    const std::string line =
        fmt::format("saved {}  evaluated {}  alerts {}", Bar(saved_, Planned()),
                    Bar(evaluated_, Planned()), alerts_.size());
    if (on_terminal_) {
      fmt::print("\r{}\033[K{}", line, last ? "\n" : "");
    } else if (++turns_ % 40 == 0 || last) {
      fmt::print("{}\n", line);
    }
    std::fflush(stdout);
  }

  void PrintAlerts() {
    for (ReceivedAlert& alert : receiver_->Take()) {
      if (on_terminal_) fmt::print("\r\033[K");
      if (!options_.quiet) fmt::print("  {:<8} {}\n", alert.state, alert.summary);
      alerts_.push_back(std::move(alert));
    }
  }

  Status Ctl(std::vector<std::string> arguments) {
    std::fflush(stdout);
    ProcessOptions options;
    options.arguments = {Program("couplingctl"), "--config", stage_.config};
    fmt::print("\n$ couplingctl --config {} {}\n", stage_.config, fmt::join(arguments, " "));
    std::fflush(stdout);
    options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
    options.environment = MinimalEnvironment();
    options.new_process_group = false;
    Process process = TRY(Process::Start(options));
    const ExitStatus exit = TRY(process.Wait());
    if (!exit.ok()) return Fail(ErrorKind::kInternal, "couplingctl ended with " + exit.Text());
    return {};
  }

  Status PrintOutcome() {
    for (const std::string& run : failed_trainers_) fmt::print("training of {} failed\n", run);
    if (put_aside_ > 0)
      fmt::print("{} checkpoints were put aside: couplingctl checkpoints tells why\n", put_aside_);
    TRY(Ctl({"coupling", "--over", "scale"}));
    TRY(Ctl({"forecast"}));
    const std::string widest =
        fmt::format("{}-{}", ToString(options_.stage.mixes.back()), options_.stage.widths.back());
    TRY(Ctl({"history", "--run", widest, "--plot"}));
    fmt::print("\nAlerts that arrived at the demo's receiver:\n");
    for (const ReceivedAlert& alert : alerts_) {
      fmt::print("  {:<8} {}\n", alert.state, alert.summary);
      if (alert.state == "firing" && !alert.actions.empty())
        fmt::print("           {}\n", alert.actions[0]);
    }
    fmt::print(
        "\nEverything above came from the real daemon watching {0}/runs. Next, on your own run:\n"
        "  {1}/couplingctl init /path/to/your/output --output couplingd.yaml\n"
        "  {1}/couplingctl check-config couplingd.yaml\n"
        "  {1}/couplingd couplingd.yaml\n",
        options_.stage.directory, options_.programs);
    return {};
  }

  Status StopDaemon() {
    daemon_->Signal(SIGTERM);
    const ExitStatus exit = TRY(daemon_->Wait());
    if (!exit.ok())
      return Fail(ErrorKind::kInternal, "the daemon ended with " + exit.Text(), "see " + log_);
    return {};
  }

  const ShowOptions options_;
  const bool on_terminal_;
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<Receiver> receiver_;
  Stage stage_;
  std::string log_;
  std::optional<Process> daemon_;
  std::deque<StagedRun> waiting_;
  std::list<Trainer> trainers_;
  std::vector<std::string> failed_trainers_;
  std::vector<ReceivedAlert> alerts_;
  std::size_t saved_ = 0, evaluated_ = 0, put_aside_ = 0, pending_ = 0;
  int silent_turns_ = 0, resting_turns_ = 0, turns_ = 0;
};

}  // namespace

Status Show(const ShowOptions& options) {
  ::signal(SIGINT, OnInterrupt);
  ::signal(SIGTERM, OnInterrupt);
  return Performance(options).Run();
}

}  // namespace couplingd
