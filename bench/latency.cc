// How long it takes from a checkpoint's last byte to the alert it raises. Trains a small run of the
// demo's web mix, then lays its checkpoints into a directory that a real daemon watches, one by
// one, as a trainer would.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/files.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/process.h"
#include "demo/receiver.h"
#include "demo/stage.h"

namespace couplingd {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

struct Options {
  std::string directory = "/tmp/couplingd-latency";
  std::string programs;
  bool notify = false;
  std::string quiet = "5s";
};

struct Moments {
  std::int64_t step = 0;
  UnixMillis complete = 0, admitted = 0, started = 0, recorded = 0, delivered = 0;
};

// The time of the first log line of this step that holds `text`.
std::optional<UnixMillis> LogTime(const std::string& log, std::int64_t step,
                                  const std::string& text) {
  const std::string wanted = fmt::format(": step {} {}", step, text);
  const std::size_t place = log.find(wanted);
  if (place == std::string::npos) return std::nullopt;
  const std::size_t line = log.rfind('\n', place) + 1;
  std::tm parts{};
  if (!::strptime(log.c_str() + line, "%Y-%m-%dT%H:%M:%S", &parts)) return std::nullopt;
  return static_cast<UnixMillis>(::timegm(&parts)) * 1000 + std::stoi(log.substr(line + 20, 3));
}

Status Call(const std::vector<std::string>& arguments) {
  ProcessOptions options;
  options.arguments = arguments;
  options.environment = MinimalEnvironment();
  options.environment.push_back("TZ=UTC");
  const ProcessOutput output = TRY(RunProcess(options, "", milliseconds(300000)));
  if (output.exit.ok()) return {};
  return Fail(ErrorKind::kInternal, fmt::format("{}: {}", arguments[0], output.err));
}

class Bench {
 public:
  Bench(const Options& options, const Clock& clock) : options_(options), clock_(clock) {}

  Status Run() {
    StageOptions stage_options;
    stage_options.directory = options_.directory;
    stage_options.mixes = {Mix::kWeb};
    stage_options.widths = {32};
    receiver_ = TRY(Receiver::Start());
    stage_ = TRY(SetStage(stage_options, receiver_->Url()));
    TRY(SetQuiet());
    std::string save_at;
    for (std::int64_t step : stage_options.save_at)
      save_at += (save_at.empty() ? "" : ",") + std::to_string(step);
    std::printf("training the run whose checkpoints are used\n");
    const std::string trained = JoinPath(options_.directory, "trained");
    fs::remove_all(trained);
    TRY(Call({Program("couplingd-demo-train"), "--width", "32", "--save-at", save_at, "--out",
              trained}));
    Process daemon = TRY(StartDaemon());
    std::printf("%6s %12s %12s %12s %12s\n", "step", "detection", "start", "record", "alert");
    for (std::int64_t step : stage_options.save_at) {
      Moments moments = TRY(Lay(trained, step));
      Print(moments);
      if (moments.delivered > 0) break;
    }
    daemon.Signal(SIGTERM);
    TRY(daemon.Wait());
    return {};
  }

 private:
  std::string Program(const std::string& name) const { return JoinPath(options_.programs, name); }
  std::string LogPath() const { return JoinPath(options_.directory, "couplingd.log"); }

  Status SetQuiet() {
    std::string yaml = TRY(ReadFile(stage_.config));
    const std::string from = "quiet_local: 500ms";
    yaml.replace(yaml.find(from), from.size(), "quiet_local: " + options_.quiet);
    return WriteFileAtomically(stage_.config, yaml, 0644);
  }

  Result<Process> StartDaemon() {
    ProcessOptions options;
    options.arguments = {
        "/bin/sh",     "-c",     "exec \"$0\" \"$1\" 2> \"$2\"", Program("couplingd"),
        stage_.config, LogPath()};
    options.environment = MinimalEnvironment();
    options.environment.push_back("TZ=UTC");
    Process daemon = TRY(Process::Start(options));
    std::this_thread::sleep_for(milliseconds(1500));
    return daemon;
  }

  // Copies one checkpoint as a trainer writes it, the marker last, and waits until it is recorded.
  Result<Moments> Lay(const std::string& trained, std::int64_t step) {
    const std::string name = fmt::format("checkpoint-{}", step);
    const std::string target = JoinPath(stage_.runs[0].directory, name);
    fs::create_directory(target);
    for (const char* file : {"config.json", "model.safetensors", "tokenizer.json",
                             "tokenizer_config.json", "trainer_state.json"}) {
      fs::copy_file(JoinPath(JoinPath(trained, name), file), JoinPath(target, file));
    }
    Moments moments;
    moments.step = step;
    moments.complete = clock_.Now();
    if (options_.notify) {
      TRY(Call({Program("couplingctl"), "--config", stage_.config, "notify", stage_.runs[0].name,
                target}));
    }
    for (int turn = 0; turn < 6000 && moments.recorded == 0; ++turn) {
      std::this_thread::sleep_for(milliseconds(10));
      const std::string log = TRY(ReadFile(LogPath()));
      moments.admitted = LogTime(log, step, "is queued").value_or(0);
      moments.started = LogTime(log, step, "is being evaluated").value_or(0);
      moments.recorded = LogTime(log, step, "is evaluated").value_or(0);
    }
    for (int turn = 0; turn < 200 && moments.delivered == 0; ++turn) {
      std::this_thread::sleep_for(milliseconds(10));
      for (const ReceivedAlert& alert : receiver_->Take()) {
        if (alert.kind == "phase" && alert.state == "firing") moments.delivered = clock_.Now();
      }
    }
    if (moments.recorded == 0)
      return Fail(ErrorKind::kInternal, "the checkpoint was not recorded", "see " + LogPath());
    return moments;
  }

  static void Print(const Moments& m) {
    const auto since = [&](UnixMillis at) {
      return at == 0 ? std::string("-") : fmt::format("{} ms", at - m.complete);
    };
    std::printf("%6ld %12s %12s %12s %12s\n", static_cast<long>(m.step), since(m.admitted).c_str(),
                since(m.started).c_str(), since(m.recorded).c_str(), since(m.delivered).c_str());
    std::fflush(stdout);
  }

  const Options options_;
  const Clock& clock_;
  std::unique_ptr<Receiver> receiver_;
  Stage stage_;
};

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) {
  using namespace couplingd;
  Options options;
  CLI::App flags(
      "Milliseconds from a complete checkpoint to detection, start of evaluation, record and "
      "alert");
  flags.add_option("--directory", options.directory, "Where everything is written")
      ->capture_default_str();
  flags.add_option("--quiet", options.quiet, "watch.quiet_local of the daemon")
      ->capture_default_str();
  flags.add_flag("--notify", options.notify,
                 "Tell the daemon with couplingctl notify, which waives the quiet period");
  CLI11_PARSE(flags, argc, argv);
  const SystemClock clock;
  const auto run = [&]() -> Status {
    options.programs = TRY(ExecutableDirectory());
    return Bench(options, clock).Run();
  };
  const Status done = run();
  if (done) return 0;
  std::fprintf(stderr, "latency: %s\n", done.error().Text().c_str());
  return ExitCode(done.error().kind);
}
