#include "tests/alerts/outage_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <random>

#include "alerts/lifecycle.h"
#include "alerts/notify.h"
#include "alerts/store_gateway.h"

namespace couplingd::testing {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr UnixMillis kBegin = 1795442700000;
constexpr milliseconds kTick = 5min;
constexpr double kMinute = 60000;
constexpr std::array kRules = {"bad_checkpoint", "checkpoint_overdue", "evaluation_failing"};

class Outage {
 public:
  explicit Outage(const OutageOptions& options) : options_(options), random_(options.seed) {
    for (const char* rule : kRules) {
      RuleConfig& each = config_.rules.emplace_back();
      each.name = each.kind = rule;
    }
    for (int i = 0; i < options.runs; ++i) {
      config_.runs.emplace_back().name = fmt::format("run-{}", i);
      for (const char* rule : kRules)
        findings_.push_back(FindingOf(rule, config_.runs.back().name));
    }
    config_.sinks.resize(3);
    config_.sinks[0].name = "away";
    config_.sinks[0].fallback = "backup";
    config_.sinks[1].name = "there";
    config_.sinks[2].name = "backup";
    config_.sinks[2].standby = true;
  }

  Result<OutageFigures> Run() {
    writer_ = TRY(HistoryWriter::Open(options_.directory, clock_));
    TRY(writer_->CheckpointLog());
    const std::int64_t before = Bytes();
    const int ticks = static_cast<int>(std::chrono::hours(options_.hours) / kTick);
    const UnixMillis return_at = kBegin + std::chrono::milliseconds(kTick).count() * ticks;
    for (int tick = 0; tick < ticks; ++tick) {
      const int toggles =
          options_.transitions * (tick + 1) / ticks - options_.transitions * tick / ticks;
      for (int i = 0; i < toggles; ++i) {
        Finding& finding = findings_[random_() % findings_.size()];
        finding.active = !finding.active;
      }
      TRY(Tick());
      TRY(SendUntil(clock_.Now() + kTick.count()));
      if (tick % 12 == 11) TRY(writer_->CheckpointLog());
    }
    result_.growth_bytes = Bytes() - before;
    is_back_ = true;
    TRY(CatchUp());
    result_.catch_up_minutes = static_cast<double>(clock_.Now() - return_at) / kMinute;
    for (const auto& [key, since] : untold_since_) NoteFallback(since);
    result_.figures.trials = 1;
    Judge(log_, TRY(ReadEnd()), 0, result_.figures);
    return result_;
  }

 private:
  static Finding FindingOf(const std::string& rule, const std::string& run) {
    Finding finding;
    finding.rule = finding.kind = rule;
    finding.run = run;
    finding.subject = "checkpoints";
    finding.summary = fmt::format("{}: something has to be looked at", run);
    finding.description = std::string(200, '.');  // as long as real ones are
    finding.labels = {{"alertname", rule}, {"run", run}, {"family", "trial"}};
    finding.values = {{"step", 1000}, {"limit_seconds", 600}};
    finding.interventions = {{"investigate", std::string(80, '.'), std::string(80, '.')}};
    return finding;
  }

  std::int64_t Bytes() const {
    std::int64_t sum = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options_.directory)) {
      if (entry.is_regular_file()) sum += static_cast<std::int64_t>(entry.file_size());
    }
    return sum;
  }

  Status Tick() {
    const std::vector<Alert> known = TRY(writer_->reader().Alerts({}));
    const auto transitions = AlertTransitions(known, findings_, ScopeOf(config_), clock_.Now());
    TRY(writer_->Transaction([&]() -> Status {
      for (const Alert& alert : transitions) TRY(writer_->SaveAlert(alert));
      return NotifySinks(*writer_, config_, clock_.Now());
    }));
    result_.figures.transitions += static_cast<std::int64_t>(transitions.size());
    for (const Alert& alert : transitions) untold_since_.emplace(alert.key, clock_.Now());
    return {};
  }

  // All that becomes due before `end`, in its order; then it is `end`.
  Status SendUntil(UnixMillis end) {
    while (true) {
      UnixMillis next = end;
      for (const SinkConfig& sink : config_.sinks) {
        SinkMemory& memory = memories_[sink.name];
        memory.sink = sink.name;
        while (true) {
          const Work work = TRY(FindWork(*writer_, memory, clock_.Now()));
          if (!work.notification) {
            next = std::min(next, work.next_at.value_or(end));
            break;
          }
          const DeliveryOutcome outcome = Send(sink.name, *work.notification);
          TRY(RecordOutcome(*writer_, memory, *work.notification, outcome, clock_.Now()));
        }
      }
      clock_.Advance(milliseconds(std::max<UnixMillis>(next - clock_.Now(), 1)));
      if (next >= end) return {};
    }
  }

  DeliveryOutcome Send(const std::string& sink, const Notification& notification) {
    Heard& heard = log_.emplace_back(HeardOf(sink, notification));
    if (sink == "away" && !is_back_) {
      ++result_.attempts_in_vain;
      return {DeliveryResult::kRetry, std::nullopt, "no answer: connection refused"};
    }
    heard.reached = heard.acknowledged = true;
    if (sink == "backup") NoteFallback(notification);
    return {DeliveryResult::kDelivered, std::nullopt, "HTTP 200"};
  }

  void NoteFallback(const Notification& notification) {
    if (result_.fallback_minutes < 0) {
      result_.fallback_minutes = static_cast<double>(clock_.Now() - kBegin) / kMinute;
    }
    for (const AlertNews& news : notification.news) {
      const auto found = untold_since_.find(news.alert.key);
      if (found == untold_since_.end()) continue;
      NoteFallback(found->second);
      untold_since_.erase(found);
    }
  }
  void NoteFallback(UnixMillis since) {
    result_.slowest_fallback_minutes = std::max(
        result_.slowest_fallback_minutes, static_cast<double>(clock_.Now() - since) / kMinute);
  }

  Status CatchUp() {
    for (int round = 0; round < 100; ++round) {
      TRY(Tick());
      if (TRY(writer_->reader().Deliveries("pending")).empty()) return {};
      TRY(SendUntil(clock_.Now() + kTick.count()));
    }
    ++result_.figures.unfinished;
    return {};
  }

  Result<FinalState> ReadEnd() {
    FinalState end;
    for (const Alert& alert : TRY(writer_->reader().Alerts({}))) {
      const bool fires = alert.state == AlertState::kFiring;
      end.alerts.push_back({alert.key, alert.sequence, fires});
      if (!fires) continue;
      end.must_know.insert({"away", alert.key});
      end.must_know.insert({"there", alert.key});
    }
    return end;
  }

  const OutageOptions options_;
  std::mt19937_64 random_;
  ManualClock clock_{kBegin};
  Config config_;
  std::vector<Finding> findings_;
  std::unique_ptr<HistoryWriter> writer_;
  std::map<std::string, SinkMemory> memories_;
  std::map<std::string, UnixMillis> untold_since_;  // by key, until the fallback hears of it
  bool is_back_ = false;
  std::vector<Heard> log_;
  OutageFigures result_;
};

}  // namespace

OutageFigures RunOutage(const OutageOptions& options) {
  std::filesystem::remove_all(options.directory);
  Result<OutageFigures> figures = Outage(options).Run();
  std::filesystem::remove_all(options.directory);
  if (figures) return *figures;
  OutageFigures failed;
  failed.figures.damaged = 1;
  return failed;
}

}  // namespace couplingd::testing
