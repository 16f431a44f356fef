#include "tests/alerts/delivery_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "alerts/lifecycle.h"
#include "alerts/notify.h"
#include "alerts/store_gateway.h"
#include "tests/alerts/trial_world.h"
#include "tests/history/fault_disk.h"

namespace couplingd::testing {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr int kSteps = 70;
constexpr UnixMillis kBegin = 1795442700000;

class Trial {
 public:
  explicit Trial(const TrialOptions& options)
      : options_(options),
        random_(options.seed),
        disk_({options.seed, options.normal_synchronous}),
        directory_(options.directory) {
    Configure();
    Restart();
  }

  Figures Run() {
    figures_.trials = 1;
    disk_.SetErrorRate(Chance(0.4) ? 0.02 : 0);
    for (int step = 0; step < kSteps; ++step) Step();
    Heal();
    const FinalState end = ReadEnd();
    Judge(log_, end, figures_.kills + figures_.power_losses, figures_);
    writer_.reset();
    figures_.damaged += CheckIntegrity(directory_ + "/history.db") != "ok";
    figures_.disk_errors = disk_.errors();
    return figures_;
  }

 private:
  // A message on its way to a sink.
  struct Flight {
    Notification notification;
    std::optional<DeliveryOutcome> outcome;  // once it was sent
  };

  std::uint64_t Draw(std::uint64_t below) { return random_() % below; }
  bool Chance(double p) { return static_cast<double>(random_() >> 11) * 0x1p-53 < p; }

  void Configure() {
    config_.rules.resize(2);
    config_.rules[0].name = config_.rules[0].kind = "bad_checkpoint";
    config_.rules[1].name = config_.rules[1].kind = "checkpoint_overdue";
    config_.rules[1].severity = Severity::kCritical;
    config_.rules[1].hold_for = Chance(0.3) ? milliseconds(1min) : 0ms;
    config_.runs.resize(2);
    config_.runs[0].name = "alpha";
    config_.runs[1].name = "beta";
    config_.sinks.resize(3);
    config_.sinks[0].name = "ops";
    config_.sinks[0].fallback = "backup";
    config_.sinks[1].name = "pager";
    config_.sinks[1].match.push_back(*Matcher::Parse("severity=critical"));
    config_.sinks[2].name = "backup";
    config_.sinks[2].standby = true;
    config_.notify.group_wait = std::array<milliseconds, 3>{0ms, 10s, 1min}[Draw(3)];
    config_.notify.repeat_interval = Chance(0.5) ? milliseconds(1h) : 0ms;
    config_.notify.storm = Chance(0.3) ? 2 : 100;
    if (Chance(0.5)) {
      InhibitionConfig& inhibition = config_.inhibitions.emplace_back();
      inhibition.source.push_back(*Matcher::Parse("kind=checkpoint_overdue"));
      inhibition.target.push_back(*Matcher::Parse("kind=bad_checkpoint"));
      inhibition.equal = {"run"};
    }
    most_alerts_ = Chance(0.5) ? 20 : 1;
    for (const RunConfig& run : config_.runs) {
      for (int i = 0; i < 3; ++i) {
        world_.push_back({"bad_checkpoint", run.name, fmt::format("checkpoint-{}", i)});
      }
      world_.push_back({"checkpoint_overdue", run.name, "checkpoints"});
    }
  }

  void Step() {
    const std::uint64_t drawn = Draw(100);
    if (drawn < 20) {
      Condition& condition = world_[Draw(world_.size())];
      condition.holds = !condition.holds;
      Tick();
    } else if (drawn < 30) {
      Tick();
    } else if (drawn < 34) {
      Silence();
    } else if (drawn < 38) {
      EndSilences();
    } else if (drawn < 41) {
      Check(writer_->CheckpointLog());
    } else if (drawn < 43) {
      Kill();
    } else if (drawn < 46) {
      disk_.FailPowerAfter(1 + static_cast<int>(Draw(40)));
    } else if (drawn < 60) {
      constexpr std::array<milliseconds, 6> kSpans = {100ms, 2s, 10s, 1min, 20min, 2h};
      clock_.Advance(kSpans[Draw(kSpans.size())]);
    } else {
      Advance(config_.sinks[Draw(config_.sinks.size())].name);
    }
  }

  // ---- What the daemon does.

  std::vector<Finding> Findings() const {
    std::vector<Finding> findings;
    for (const Condition& condition : world_) {
      Finding& finding = findings.emplace_back();
      finding.rule = finding.kind = condition.rule;
      finding.run = condition.run;
      finding.subject = condition.subject;
      finding.active = condition.holds;
      finding.severity =
          condition.rule == "checkpoint_overdue" ? Severity::kCritical : Severity::kWarning;
      finding.summary = condition.holds ? "It holds." : "It is over.";
      finding.labels = {{"alertname", condition.rule}, {"run", condition.run}};
    }
    return findings;
  }

  // Rules are evaluated; transitions and what follows for sinks commit together.
  void Tick() {
    std::vector<Alert> transitions;
    const auto raise = [&]() -> Status {
      const std::vector<Alert> known = TRY(writer_->reader().Alerts({}));
      transitions = AlertTransitions(known, Findings(), ScopeOf(config_), clock_.Now());
      return writer_->Transaction([&]() -> Status {
        for (const Alert& alert : transitions) TRY(writer_->SaveAlert(alert));
        return NotifySinks(*writer_, config_, clock_.Now());
      });
    };
    if (!Check(raise())) return;
    for (const Alert& alert : transitions) stored_alerts_.insert({alert.key, alert.sequence});
    figures_.transitions += static_cast<std::int64_t>(transitions.size());
  }

  // One step of the sink's thread: it looks for a message, sends it, or records what became of it.
  void Advance(const std::string& sink) {
    const auto flight = flights_.find(sink);
    if (flight == flights_.end()) {
      Begin(sink);
    } else if (!flight->second.outcome) {
      flight->second.outcome = Send(sink, flight->second.notification);
      if (options_.record_first) flights_.erase(flight);
    } else if (Record(sink, flight->second.notification, *flight->second.outcome)) {
      flights_.erase(sink);
    }
  }

  bool Begin(const std::string& sink) {
    const auto [memory, is_new] = memories_.try_emplace(sink);
    memory->second.sink = sink;
    memory->second.traits.most_alerts = most_alerts_;
    memory->second.options.storm = config_.notify.storm;
    Result<Work> work = FindWork(*writer_, memory->second, clock_.Now());
    if (!Check(work)) return false;
    next_at_ = work->next_at;
    if (!work->notification) return false;
    if (options_.record_first && !Record(sink, *work->notification, {DeliveryResult::kDelivered})) {
      return false;
    }
    flights_[sink] = {std::move(*work->notification), std::nullopt};
    return true;
  }

  bool Record(const std::string& sink, const Notification& sent, const DeliveryOutcome& outcome) {
    const auto rows = RecordOutcome(*writer_, memories_[sink], sent, outcome, clock_.Now());
    if (!Check(rows)) return false;
    for (const Delivery& row : *rows) {
      if (row.state == "delivered") stored_deliveries_.insert(row.id);
    }
    return true;
  }

  void Silence() {
    couplingd::Silence silence;
    silence.matchers = {Chance(0.5) ? "run=alpha" : "kind=bad_checkpoint"};
    silence.author = "ana";
    silence.created_at = silence.starts_at = clock_.Now();
    silence.ends_at = clock_.Now() + static_cast<UnixMillis>(Draw(7200000));
    const auto saved = writer_->SaveSilence(silence);
    if (Check(saved)) stored_silences_.insert(*saved);
  }

  void EndSilences() {
    const auto silences = writer_->reader().Silences();
    if (!Check(silences)) return;
    for (couplingd::Silence silence : *silences) {
      silence.ended_by = "ana";
      if (!Check(writer_->SaveSilence(silence))) return;
    }
  }

  // ---- How things go wrong.

  // What the peer makes of a message, and what the sender sees of it.
  DeliveryOutcome Send(const std::string& sink, const Notification& notification) {
    Heard& heard = log_.emplace_back(HeardOf(sink, notification));
    // Some peers take no message of several alerts of a certain kind, ever.
    const bool is_refused =
        notification.news.size() > 1 && std::hash<std::string>()(heard.id) % 8 == 0;
    if (is_refused) return {DeliveryResult::kPermanent, std::nullopt, "HTTP 400"};
    if (healed_ || Chance(0.4)) {
      heard.reached = heard.acknowledged = true;
      return {DeliveryResult::kDelivered, std::nullopt, "HTTP 200"};
    }
    switch (Draw(8)) {
      case 0:
        return {DeliveryResult::kRetry, std::nullopt, "connection refused"};
      case 1:
        return {DeliveryResult::kRetry, std::nullopt, "connection reset"};
      case 2:
        return {DeliveryResult::kRetry, std::nullopt, "bad certificate"};
      case 3:
        return {DeliveryResult::kRetry, std::chrono::milliseconds(1s * (1 + Draw(3600))),
                "HTTP 429"};
      case 4:  // 500, and the work was done all the same
        heard.reached = Chance(0.5);
        return {DeliveryResult::kRetry, std::nullopt, "HTTP 500"};
      case 5:  // accepted, then silence
        heard.reached = Chance(0.5);
        clock_.Advance(15s);
        return {DeliveryResult::kRetry, std::nullopt, "timeout"};
      case 6:  // 200, and the connection is reset before the answer arrives
        heard.reached = true;
        return {DeliveryResult::kRetry, std::nullopt, "connection reset"};
      default:  // an answer of one byte a second
        heard.reached = true;
        clock_.Advance(15s);
        return {DeliveryResult::kRetry, std::nullopt, "timeout"};
    }
  }

  // True where the store did as it was told; a machine that went down is started again.
  template <typename T>
  bool Check(const T& result) {
    if (disk_.is_down()) {
      ++figures_.power_losses;
      Restart();
      return false;
    }
    return result.has_value();
  }

  void Kill() {
    ++figures_.kills;
    disk_.Stop();
    writer_.reset();
    disk_.Restart(/*lose=*/false);
    Restart();
  }

  // The daemon starts, again and again if need be.
  void Restart() {
    flights_.clear();
    memories_.clear();
    for (int attempt = 0; attempt < 100; ++attempt) {
      if (disk_.is_down()) {
        writer_.reset();
        disk_.Restart(/*lose=*/true);
      }
      if (Chance(0.1)) disk_.FailPowerAfter(1 + static_cast<int>(Draw(60)));
      auto opened = HistoryWriter::Open(directory_, clock_);
      if (opened) {
        writer_ = std::move(*opened);
        if (VerifyStored() || !disk_.is_down()) return;
      } else if (opened.error().kind == ErrorKind::kInvalidData) {
        break;
      }
      figures_.power_losses += disk_.is_down();
    }
    ++figures_.damaged;
    throw std::runtime_error("the store does not open: seed " + std::to_string(options_.seed));
  }

  // What the store had acknowledged is there.
  bool VerifyStored() {
    const auto log = writer_->reader().AlertLog({});
    const auto deliveries = writer_->reader().Deliveries("delivered");
    const auto silences = writer_->reader().Silences();
    if (!log || !deliveries || !silences) return false;
    std::set<std::pair<std::string, std::int64_t>> alerts;
    std::set<std::int64_t> delivered, known_silences;
    for (const Alert& alert : *log) alerts.insert({alert.key, alert.sequence});
    for (const Delivery& delivery : *deliveries) delivered.insert(delivery.id);
    for (const auto& silence : *silences) known_silences.insert(silence.id);
    figures_.lost_rows += CountMissing(stored_alerts_, alerts) +
                          CountMissing(stored_deliveries_, delivered) +
                          CountMissing(stored_silences_, known_silences);
    // A loss is counted once.
    stored_alerts_ = alerts;
    stored_deliveries_ = delivered;
    stored_silences_ = known_silences;
    return true;
  }

  template <typename Set>
  static std::int64_t CountMissing(const Set& stored, const Set& found) {
    return std::ranges::count_if(stored, [&](const auto& each) { return !found.contains(each); });
  }

  // ---- The end: nothing fails any more, and all that is due is sent.

  void Heal() {
    disk_.SetErrorRate(0);
    disk_.FailPowerAfter(0);
    healed_ = true;
    EndSilences();
    for (int round = 0; round < 2000; ++round) {
      Tick();
      std::optional<UnixMillis> next;
      for (const SinkConfig& sink : config_.sinks) {
        while (flights_.contains(sink.name) || Begin(sink.name)) Advance(sink.name);
        if (next_at_ && (!next || *next_at_ < *next)) next = next_at_;
      }
      const auto pending = writer_->reader().Deliveries("pending");
      if (pending && pending->empty() && !IsAnythingPending()) return;
      const UnixMillis now = clock_.Now();
      clock_.Advance(
          milliseconds(std::clamp<UnixMillis>(next.value_or(now + 60000) - now, 1, 60000)));
    }
    ++figures_.unfinished;
  }

  // An alert that waits for its rule to hold long enough.
  bool IsAnythingPending() {
    const auto alerts = writer_->reader().Alerts({});
    return !alerts || std::ranges::any_of(*alerts, [](const Alert& alert) {
      return alert.state == AlertState::kPending;
    });
  }

  FinalState ReadEnd() {
    const auto alerts = writer_->reader().Alerts({});
    return alerts ? EndOf(world_, *alerts, !config_.inhibitions.empty(), figures_) : FinalState();
  }

  const TrialOptions options_;
  std::mt19937_64 random_;
  FaultDisk disk_;
  const std::string directory_;
  ManualClock clock_{kBegin};
  Config config_;
  int most_alerts_ = 1;
  std::vector<Condition> world_;
  std::unique_ptr<HistoryWriter> writer_;
  std::map<std::string, SinkMemory> memories_;  // by sink
  std::map<std::string, Flight> flights_;       // by sink
  std::optional<UnixMillis> next_at_;           // what the last look for a message said
  bool healed_ = false;
  std::vector<Heard> log_;
  std::set<std::pair<std::string, std::int64_t>> stored_alerts_;
  std::set<std::int64_t> stored_deliveries_, stored_silences_;
  Figures figures_;
};

}  // namespace

Figures RunTrial(const TrialOptions& options) {
  std::filesystem::remove_all(options.directory);
  Figures figures;
  try {
    figures = Trial(options).Run();
  } catch (const std::runtime_error&) {
    figures.trials = figures.damaged = 1;
  }
  std::filesystem::remove_all(options.directory);
  return figures;
}

Figures RunTrials(const TrialOptions& options, int count, int at_once) {
  const Figures sum = SumOfTrials(options, count, at_once, RunTrial);
  std::filesystem::remove_all(options.directory);
  return sum;
}

}  // namespace couplingd::testing
