// Delivery of alerts under faults, in figures. Ends with 1 where one of them is violated.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/process.h"
#include "tests/alerts/delivery_trial.h"
#include "tests/alerts/hung_sink_trial.h"
#include "tests/alerts/outage_trial.h"
#include "tests/daemon/daemon_trial.h"

namespace couplingd {
namespace {

using testing::Figures;

struct Options {
  int runs = 10'000;
  int processes = 500;
  int at_once = 16;
  int transitions = 20'000;
  int hung_alerts = 200;
  std::uint64_t seed = 1;
};

template <typename Body>
auto Time(const std::string& what, Body body) {
  const auto begin = std::chrono::steady_clock::now();
  auto result = body();
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);
  std::printf("%-36s %7.1f s\n", what.c_str(), took.count());
  std::fflush(stdout);
  return result;
}

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {
    const std::string root = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    directory_ = fmt::format("{}/couplingd-bench-delivery-{}", root, ::getpid());
    std::filesystem::create_directories(directory_);
  }
  ~Bench() {
    if (is_clean_) std::filesystem::remove_all(directory_);
  }

  // Whether every figure holds.
  Result<bool> Run() {
    const Figures daemons = Time("real daemons", [&] { return Daemons(); });
    const Figures trials = Time("on the failing disk", [&] { return Trials({}); });
    testing::TrialOptions control;
    control.normal_synchronous = true;
    const Figures unsynced = Time("control: commits not synced", [&] { return Control(control); });
    control = {};
    control.record_first = true;
    const Figures early =
        Time("control: recorded before it is sent", [&] { return Control(control); });
    PrintTable({daemons, trials, unsynced, early});
    is_clean_ = Holds(daemons, "real daemons") & Holds(trials, "failing disk");
    const bool has_power = unsynced.lost_rows > 0 && early.lost_firing + early.lost_resolved > 0;
    if (!has_power) std::printf("VOID: a control shows no loss\n");
    is_clean_ = is_clean_ && has_power;
    is_clean_ = Outage() && is_clean_;
    is_clean_ = HungSink() && is_clean_;
    return is_clean_;
  }

 private:
  Figures Daemons() const {
    testing::DaemonTrialOptions options;
    options.seed = options_.seed;
    options.directory = directory_ + "/daemons";
    options.programs = ExecutableDirectory().value_or(".");
    options.certificates = testing::MakeCertificates(directory_);
    return RunDaemonTrials(options, options_.processes, options_.at_once);
  }

  Figures Trials(testing::TrialOptions options) const {
    options.seed = options_.seed;
    options.directory = directory_ + "/trials";
    return RunTrials(options, std::max(options_.runs - options_.processes, 0), Cores());
  }

  // Fewer of them: they only have to show that there is something to lose.
  Figures Control(testing::TrialOptions options) const {
    options.seed = options_.seed;
    options.directory = directory_ + "/control";
    return RunTrials(options, std::clamp(options_.runs / 20, 60, 500), Cores());
  }

  static int Cores() { return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u)); }

  static void PrintTable(const std::vector<Figures>& columns) {
    struct Row {
      const char* name;
      std::int64_t Figures::*field;
    };
    constexpr Row kRows[] = {{"trials", &Figures::trials},
                             {"kills", &Figures::kills},
                             {"power losses", &Figures::power_losses},
                             {"disk errors", &Figures::disk_errors},
                             {"transitions", &Figures::transitions},
                             {"messages that arrived", &Figures::messages},
                             {"attempts that failed", &Figures::failures},
                             {"lost firing", &Figures::lost_firing},
                             {"lost resolved", &Figures::lost_resolved},
                             {"heard out of order", &Figures::out_of_order},
                             {"repeats after acknowledgement", &Figures::repeats},
                             {"  beyond one a crash and sink", &Figures::excess_repeats},
                             {"repeats after lost answers", &Figures::doubtful_repeats},
                             {"repeats under another id", &Figures::changed_ids},
                             {"acknowledged rows lost", &Figures::lost_rows},
                             {"damaged databases", &Figures::damaged},
                             {"outboxes left full", &Figures::unfinished}};
    std::printf("\n%-30s %11s %11s %11s %11s\n", "", "daemons", "bad disk", "unsynced",
                "too early");
    for (const Row& row : kRows) {
      std::printf("%-30s", row.name);
      for (const Figures& column : columns) {
        std::printf(" %11lld", static_cast<long long>(column.*row.field));
      }
      std::printf("\n");
    }
    std::printf("\n");
  }

  static bool Holds(const Figures& figures, const char* what) {
    const std::int64_t crashes = figures.kills + figures.power_losses;
    const bool holds = figures.violations() == 0 && figures.repeats <= crashes;
    if (!holds) std::printf("VIOLATED, %s: %s\n", what, TextOf(figures).c_str());
    return holds;
  }

  bool Outage() {
    testing::OutageOptions options;
    options.directory = directory_ + "/outage";
    options.transitions = options_.transitions;
    const auto outage = Time("an outage of 72 h", [&] { return RunOutage(options); });
    const double megabytes = static_cast<double>(outage.growth_bytes) / (1 << 20);
    std::printf(
        "72 h without a sink: %lld transitions, %lld attempts in vain, the database grew by %.1f "
        "MiB; "
        "the\nfallback heard after %.1f min (the slowest alert after %.1f min); caught up %.1f min "
        "after the return.\n",
        static_cast<long long>(outage.figures.transitions),
        static_cast<long long>(outage.attempts_in_vain), megabytes, outage.fallback_minutes,
        outage.slowest_fallback_minutes, outage.catch_up_minutes);
    const bool holds = outage.figures.violations() == 0 && megabytes <= 100 &&
                       outage.fallback_minutes >= 0 && outage.slowest_fallback_minutes <= 15;
    if (!holds) std::printf("VIOLATED, outage: %s\n", TextOf(outage.figures).c_str());
    return holds;
  }

  bool HungSink() {
    testing::HungSinkOptions options;
    options.directory = directory_ + "/hung";
    options.alerts = options_.hung_alerts;
    const auto times = Time("a sink that hangs", [&] { return MeasureBesideHungSink(options); });
    std::printf("\n%-30s %8s %8s %8s\n", "commit to receiver, ms", "n", "p50", "p99");
    const auto print = [](const char* name, const std::vector<double>& values) {
      std::printf("%-30s %8zu %8.1f %8.1f\n", name, values.size(), testing::Percentile(values, 0.5),
                  testing::Percentile(values, 0.99));
    };
    print("without it", times.without);
    print("beside it", times.beside);
    const double p99 = testing::Percentile(times.beside, 0.99);
    std::printf("%-30s %8s %8.2f %8.2f\n", "ratio", "",
                testing::Percentile(times.beside, 0.5) / testing::Percentile(times.without, 0.5),
                p99 / testing::Percentile(times.without, 0.99));
    const auto expected = static_cast<std::size_t>(times.expected);
    const bool holds =
        times.without.size() == expected && times.beside.size() == expected && p99 < 2000;
    if (!holds) std::printf("VIOLATED: the hung sink delays others\n");
    return holds;
  }

  const Options options_;
  std::string directory_;
  bool is_clean_ = false;
};

}  // namespace
}  // namespace couplingd

int main(int argc, char** argv) {
  using namespace couplingd;
  Options options;
  CLI::App flags("Whether alerts get lost, repeated or out of order under faults");
  flags.add_option("--runs", options.runs, "Trials, those with real daemons among them")
      ->capture_default_str();
  flags.add_option("--processes", options.processes, "Trials with real daemons")
      ->capture_default_str();
  flags.add_option("--at-once", options.at_once, "Of those, so many at a time; they mostly wait")
      ->capture_default_str();
  flags.add_option("--transitions", options.transitions, "Of alerts, during the outage")
      ->capture_default_str();
  flags.add_option("--hung-alerts", options.hung_alerts, "Alerts sent beside the sink that hangs")
      ->capture_default_str();
  flags.add_option("--seed", options.seed, "Of the first trial; the others follow")
      ->capture_default_str();
  CLI11_PARSE(flags, argc, argv);
  const Result<bool> holds = Bench(options).Run();
  return holds && *holds ? 0 : 1;
}
