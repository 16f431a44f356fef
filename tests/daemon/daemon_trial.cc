#include "tests/daemon/daemon_trial.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "alerts/lifecycle.h"
#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "history/store.h"
#include "tests/daemon/real_daemon.h"
#include "tests/history/fault_disk.h"

namespace couplingd::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using namespace std::chrono_literals;
using SteadyTime = std::chrono::steady_clock::time_point;

// A row that failed once is tried again after four seconds at the earliest; by then nothing fails.
constexpr milliseconds kFaultsLast = 2s;
constexpr milliseconds kKillsLast = 5s;
// A busy machine may need a third attempt, two minutes after the second.
constexpr milliseconds kPatience = 240s;
constexpr std::array kRuns = {"alpha", "beta"};
constexpr std::array kSinks = {"ops", "pager", "secure"};

// What the sinks took, in the order of arrival. Thread-safe.
class WireLog {
 public:
  std::size_t Take(const TakenMessage& message) {
    Heard heard;
    heard.sink = message.path.substr(1);
    heard.id = message.id;
    heard.reached = message.reached;
    if (const auto json = ParseJson(message.body, "message"); json) {
      for (const JsonValue& alert : (*json)["alerts"].GetArray()) {
        const JsonValue& own = alert["couplingd"];
        heard.news.push_back({own["key"].GetString(), own["sequence"].GetInt64(), 0,
                              std::string_view(alert["status"].GetString()) == "firing"});
      }
    }
    const std::lock_guard lock(mutex_);
    log_.push_back(std::move(heard));
    return log_.size() - 1;
  }
  void Acknowledge(std::size_t ticket) {
    const std::lock_guard lock(mutex_);
    log_[ticket].acknowledged = true;
  }
  std::vector<Heard> Read() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

 private:
  std::mutex mutex_;
  std::vector<Heard> log_;
};

class DaemonTrial {
 public:
  explicit DaemonTrial(const DaemonTrialOptions& options)
      : options_(options),
        random_(options.seed),
        fault_seed_(options.seed),
        plain_(Hooks()),
        secure_(Hooks(), options.certificates) {}

  Result<Figures> Run() {
    figures_.trials = 1;
    TRY(Prepare());
    TRY(StartDaemon());
    const SteadyTime begin = std::chrono::steady_clock::now();
    int kills = 2 + static_cast<int>(Draw(3));
    while (std::chrono::steady_clock::now() - begin < kKillsLast) {
      const auto elapsed = std::chrono::steady_clock::now() - begin;
      failing_ = elapsed < kFaultsLast;
      const bool refuses = failing_ && Draw(4) == 0;
      plain_.Refuse(refuses);
      if (Draw(3) == 0 && steps_laid_ < 16) TRY(Lay(kRuns[Draw(kRuns.size())]));
      std::this_thread::sleep_for(milliseconds(20 + Draw(300)));
      if (kills > 0 && Draw(7) == 0) {
        --kills;
        TRY(Kill());
      }
    }
    failing_ = false;
    plain_.Refuse(false);
    TRY(AwaitSeen());
    // Training goes back in every run: all that fires ends, and one alert of each run remains.
    for (const char* run : kRuns) TRY(Lay(run, /*goes_back=*/true));
    TRY(AwaitEnd());
    TRY(EndDaemon());
    TRY(JudgeAll());
    return figures_;
  }

 private:
  std::uint64_t Draw(std::uint64_t below) { return random_() % below; }

  FaultServerHooks Hooks() {
    return {[this] { return DrawFault(); },
            [this](const TakenMessage& message) { return log_.Take(message); },
            [this](std::size_t ticket) { log_.Acknowledge(ticket); }};
  }

  Fault DrawFault() {
    if (!failing_) return Fault::kNone;
    const std::lock_guard lock(fault_mutex_);
    if (fault_seed_() % 100 < 35) return Fault::kNone;
    return static_cast<Fault>(1 + fault_seed_() % (kFaults - 1));
  }

  std::string Path(const std::string& name) const { return JoinPath(options_.directory, name); }

  Status Prepare() {
    std::string yaml =
        "store: {path: state}\nserver: {listen: none}\n"
        "watch: {scan_interval: 50ms, full_scan_interval: 1s, quiet_local: 0s}\n"
        "rules:\n  - {name: damaged, kind: bad_checkpoint}\n";
    yaml +=
        fmt::format("notify: {{group_wait: {}ms, repeat_interval: 0s}}\nruns:\n", Draw(3) * 150);
    for (const char* run : kRuns) {
      yaml += fmt::format("  - {{name: {0}, path: runs/{0}}}\n", run);
      TRY(MakeDirectories(Path(fmt::format("runs/{}", run)), 0755));
    }
    yaml += "sinks:\n";
    for (const char* sink : kSinks) {
      const bool is_secure = std::string_view(sink) == "secure";
      yaml += fmt::format(
          "  - {{name: {0}, kind: webhook, url_file: {0}, allow_private: true, timeout: "
          "400ms{1}}}\n",
          sink,
          is_secure && !options_.certificates.good.empty()
              ? ", ca_file: " + options_.certificates.good
              : "");
      const std::string path = fmt::format("/{}", sink);
      TRY(WriteFileAtomically(Path(sink), is_secure ? secure_.Url(path) : plain_.Url(path), 0600));
    }
    return WriteFileAtomically(Path("couplingd.yaml"), yaml, 0644);
  }

  // A checkpoint whose weights have a type that there is not, whole at once.
  Status Lay(const std::string& run, bool goes_back = false) {
    Steps& steps = steps_[run];
    if (steps.highest > 0 && (goes_back || Draw(5) == 0)) {
      steps.next = steps.lowest - 10;  // never the same again
    }
    const std::int64_t step = steps.next;
    steps.next += 10;
    steps.lowest = std::min(steps.lowest, step);
    steps.highest = std::max(steps.highest, step);
    if (steps.next <= steps.highest) steps.next = steps.highest + 10;
    const std::string name = fmt::format("checkpoint-{}", step);
    const std::string made = Path("made-" + name);
    TRY(MakeDirectories(made, 0755));
    const std::string header = R"({"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})";
    std::string weights(8, '\0');
    weights[0] = static_cast<char>(header.size());
    TRY(WriteFileAtomically(JoinPath(made, "model.safetensors"), weights + header + "12345678",
                            0644));
    TRY(WriteFileAtomically(JoinPath(made, "config.json"),
                            fmt::format(R"({{"model_type": "llama", "n": {}}})", ++steps_laid_),
                            0644));
    TRY(WriteFileAtomically(JoinPath(made, "trainer_state.json"),
                            fmt::format(R"({{"global_step": {}}})", step), 0644));
    std::error_code error;
    const std::string path = Path(fmt::format("runs/{}/{}", run, name));
    fs::rename(made, path, error);
    if (error) return Fail(ErrorKind::kInternal, "rename: " + error.message());
    last_[run] = TRY(RealPath(path));
    return {};
  }

  Status StartDaemon() {
    daemon_.emplace(TRY(StartDaemonProcess(JoinPath(options_.programs, "couplingd"),
                                           Path("couplingd.yaml"), Path("log"))));
    return {};
  }

  Status Kill() {
    ++figures_.kills;
    daemon_->Signal(SIGKILL);
    TRY(daemon_->Wait());
    return StartDaemon();
  }

  Status EndDaemon() {
    daemon_->Signal(SIGTERM);
    const ExitStatus exit = TRY(daemon_->Wait());
    figures_.unfinished += !exit.ok();
    return {};
  }

  // Until the daemon knows every checkpoint.
  Status AwaitSeen() {
    const SteadyTime limit = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < limit) {
      const auto reader = HistoryReader::Open(Path("state/history.db"));
      HistoryFilter all;
      all.generation = 0;
      const auto seen = reader ? (*reader)->Checkpoints(all) : Result<std::vector<Checkpoint>>();
      if (reader && seen && static_cast<int>(seen->size()) == steps_laid_) return {};
      std::this_thread::sleep_for(100ms);
    }
    return Fail(ErrorKind::kInternal, "the daemon does not see every checkpoint", Path("log"));
  }

  // Until one alert of each run fires, the others have ended, and nothing is left to send.
  Status AwaitEnd() {
    const SteadyTime limit = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(100ms);
      const auto reader = HistoryReader::Open(Path("state/history.db"));
      if (!reader) continue;
      const auto alerts = (*reader)->Alerts({});
      const auto pending = (*reader)->Deliveries("pending");
      if (alerts && pending && pending->empty() && IsAsItShouldBe(*alerts)) return {};
    }
    ++figures_.unfinished;
    return {};
  }

  std::string KeyOfLast(const std::string& run) const {
    return AlertKey("damaged", run, last_.at(run));
  }

  bool IsAsItShouldBe(const std::vector<Alert>& alerts) const {
    std::set<std::string> firing;
    for (const Alert& alert : alerts) {
      if (alert.state == AlertState::kFiring) firing.insert(alert.key);
    }
    std::set<std::string> wanted;
    for (const char* run : kRuns) wanted.insert(KeyOfLast(run));
    return firing == wanted;
  }

  Status JudgeAll() {
    FinalState end;
    {
      const auto reader = TRY(HistoryReader::Open(Path("state/history.db")));
      for (const Alert& alert : TRY(reader->Alerts({}))) {
        const bool fires = alert.state == AlertState::kFiring;
        end.alerts.push_back({alert.key, alert.sequence, fires});
      }
      figures_.transitions += static_cast<std::int64_t>(TRY(reader->AlertLog({})).size());
      figures_.unfinished += !TRY(reader->Deliveries("dead")).empty();
    }
    for (const char* run : kRuns) {
      for (const char* sink : kSinks) end.must_know.insert({sink, KeyOfLast(run)});
    }
    Judge(log_.Read(), end, figures_.kills, figures_);
    figures_.damaged += CheckIntegrity(Path("state/history.db")) != "ok";
    return {};
  }

  struct Steps {
    std::int64_t next = 1000000, lowest = 1000000, highest = 0;
  };

  const DaemonTrialOptions options_;
  std::mt19937_64 random_;
  std::atomic<bool> failing_ = true;
  std::mutex fault_mutex_;
  std::mt19937_64 fault_seed_;  // guarded by fault_mutex_
  WireLog log_;
  FaultServer plain_, secure_;
  std::map<std::string, Steps> steps_;
  int steps_laid_ = 0;
  std::map<std::string, std::string> last_;  // by run: real path of the newest checkpoint
  std::optional<Process> daemon_;
  Figures figures_;
};

}  // namespace

Figures RunDaemonTrial(const DaemonTrialOptions& options) {
  fs::remove_all(options.directory);
  fs::create_directories(options.directory);
  Result<Figures> figures = DaemonTrial(options).Run();
  if (!figures || figures->violations() == 0) fs::remove_all(options.directory);
  if (figures) return *figures;
  std::fprintf(stderr, "trial %llu: %s\n", static_cast<unsigned long long>(options.seed),
               figures.error().Text().c_str());
  Figures failed;
  failed.trials = failed.unfinished = 1;
  return failed;
}

Figures RunDaemonTrials(const DaemonTrialOptions& options, int count, int at_once) {
  return SumOfTrials(options, count, at_once, RunDaemonTrial);
}

}  // namespace couplingd::testing
