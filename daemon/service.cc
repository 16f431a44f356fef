#include "daemon/service.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <map>
#include <set>

#include "alerts/delivery.h"
#include "alerts/heartbeat.h"
#include "alerts/sink.h"
#include "daemon/analyst.h"
#include "daemon/api.h"
#include "daemon/pipeline.h"
#include "daemon/service_manager.h"
#include "daemon/watcher.h"
#include "queries/chart.h"

namespace couplingd {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::chrono::seconds kRulesInterval{5};
constexpr std::chrono::seconds kLogInterval{60};
constexpr std::chrono::hours kUnfinishedInterval{1};
constexpr std::chrono::milliseconds kIdleCheck{200};
constexpr std::chrono::seconds kDrainLimit{10};
constexpr std::chrono::seconds kStopLimit{15};
constexpr std::chrono::seconds kStuckAfter{60};  // beyond the sink's timeout: the resolver's own

class RunningService final : public Service {
 public:
  RunningService(const Config& config, const ServiceParts& parts)
      : config_(config),
        parts_(parts),
        analyst_(MakeAnalyst(io_, config_)),
        pipeline_(config_, {io_, parts.clock, parts.history, parts.executor, *analyst_,
                            [this] { delivery_->Wake(); }}) {}

  ~RunningService() override {
    watchers_.clear();
    if (end_ == ServiceEnd::kReloaded || !is_started_) {
      pipeline_.HandOver();
    } else {
      pipeline_.Abandon();
    }
    parts_.executor.Leave();
  }

  Status Start() {
    const SinkServices services{parts_.http, parts_.clock};
    for (auto& sink : TRY(MakeSinks(config_.sinks, services))) {
      watched_sinks_.push_back(std::make_shared<WatchedSink>(std::move(sink), parts_.clock));
      sinks_.push_back(watched_sinks_.back());
    }
    TRY(StartHeartbeat(services));
    delivery_.emplace(sinks_, StoreThread(), parts_.clock, Hooks(),
                      DeliveryOptions{.storm = config_.notify.storm, .chart = ChartOf});
    api_.emplace(ApiParts{io_, parts_.clock, config_, parts_.history, pipeline_, sinks_,
                          [this] { return !stopping_ && store_is_well_; }});
    server_ =
        TRY(StartApiServer(io_, config_.SocketPath(), config_.server.listen,
                           [this](ApiRequest request, std::function<void(ApiResponse)> respond) {
                             api_->Handle(std::move(request), std::move(respond));
                           }));
    parts_.executor.Serve(io_);
    TRY(pipeline_.Start());
    is_started_ = true;
    delivery_->Start();
    for (const RunConfig& run : config_.runs) StartWatching(run);
    AwaitSignal();
    Every(kRulesInterval, [this] {
      if (pipeline_.Tick()) Beat();
    });
    Every(kLogInterval, [this] { MaintainStore(); });
    Every(kUnfinishedInterval, [this] { pipeline_.RemoveUnfinished(); });
    if (parts_.once) Every(kIdleCheck, [this] { EndWhenIdle(); });
    if (const auto interval = WatchdogInterval()) Every(*interval, [this] { FeedWatchdog(); });
    NotifyStatus(fmt::format("watching {} runs", config_.runs.size()));
    return {};
  }

  ServiceEnd Run() override {
    io_.run();
    return end_;
  }

  const Config& next_config() const override { return *next_; }

 private:
  StoreExecutor StoreThread() {
    return [this](std::function<void(HistoryWriter&)> task) {
      asio::post(io_, [this, task = std::move(task)] { task(parts_.history); });
    };
  }

  // The trajectory behind an alert; a chart that cannot be drawn holds no alert up.
  static std::string ChartOf(HistoryReader& history, const Alert& alert) {
    Result<std::string> chart = AlertChartPng(history, alert);
    if (!chart) spdlog::warn("no chart of alert {}: {}", alert.key, chart.error().Text());
    return std::move(chart).value_or("");
  }

  static DeliveryHooks Hooks() {
    DeliveryHooks hooks;
    hooks.on_attempt = [](const DeliveryHooks::Attempt& attempt) {
      const bool delivered = attempt.outcome.result == DeliveryResult::kDelivered;
      spdlog::log(delivered ? spdlog::level::info : spdlog::level::warn,
                  "sink {}: delivery {} attempt {} after {} ms: {}", attempt.sink,
                  attempt.delivery_id, attempt.attempt, attempt.took.count(),
                  delivered ? "delivered" : attempt.outcome.text);
    };
    hooks.on_refresh = [](const std::string& sink, const DeliveryOutcome& outcome) {
      if (outcome.result == DeliveryResult::kDelivered) return;
      spdlog::warn("sink {}: what fires could not be said again: {}", sink, outcome.text);
    };
    hooks.on_store_error = [](const std::string& sink, const Error& error) {
      spdlog::error("sink {}: {}", sink, error.Text());
    };
    return hooks;
  }

  void StartWatching(const RunConfig& run) {
    watchers_[run.name] = MakeWatcher(
        run, config_.watch, [this, name = run.name](Result<ScanResult> scan, bool full) {
          asio::post(io_, [this, name, scan = std::move(scan), full] {
            const auto watcher = watchers_.find(name);
            std::set<std::string> always = pipeline_.Look(name, scan, full);
            if (scan) scanned_.insert(name);
            if (watcher != watchers_.end()) watcher->second->Continue(std::move(always));
          });
        });
  }

  void Every(std::chrono::milliseconds interval, std::function<void()> action) {
    auto timer = std::make_shared<asio::steady_timer>(io_, interval);
    timer->async_wait([this, timer, interval, action = std::move(action)](error_code error) {
      if (error || stopping_) return;
      action();
      Every(interval, action);
    });
  }

  void AwaitSignal() {
    signals_.async_wait([this](error_code error, int signal) {
      if (error) return;
      AwaitSignal();
      if (signal == SIGHUP) return Reload();
      if (stopping_) {
        spdlog::warn("a second signal: ending at once");
        return io_.stop();
      }
      spdlog::info("stopping: evaluations go back to the queue, alerts that are due are delivered");
      Stop(ServiceEnd::kStopped, DrainOptions{kDrainLimit});
    });
  }

  void Reload() {
    Result<Config> next = LoadConfig(parts_.config_path);
    if (!next) {
      spdlog::error("not reloaded: {}", next.error().Text());
      (void)parts_.history.SaveEvent(
          "error", parts_.config_path,
          "not reloaded, the old configuration stays: " + next.error().Text());
      return;
    }
    if (next->store.path != config_.store.path) {
      spdlog::warn("store.path changes with a restart only; {} stays", config_.store.path);
      next->store.path = config_.store.path;
    }
    next_ = *std::move(next);
    end_ = ServiceEnd::kReloaded;
    spdlog::info("reloaded {}", parts_.config_path);
    (void)parts_.history.SaveEvent("info", parts_.config_path, "reloaded");
    io_.stop();
  }

  // Ends when the evaluations have returned and the outbox has been drained.
  void Stop(ServiceEnd end, DrainOptions drain) {
    stopping_ = true;
    end_ = end;
    NotifyStopping();
    watchers_.clear();
    pipeline_.Stop();
    stop_deadline_.expires_after(kStopLimit);
    stop_deadline_.async_wait([this](error_code error) {
      if (!error) io_.stop();
    });
    AwaitEvaluations(drain);
  }

  void AwaitEvaluations(DrainOptions drain) {
    if (pipeline_.evaluating() > 0) {
      idle_timer_.expires_after(kIdleCheck);
      idle_timer_.async_wait([this, drain](error_code error) {
        if (!error) AwaitEvaluations(drain);
      });
      return;
    }
    stop_deadline_.expires_after(drain.limit + kStopLimit);
    stop_deadline_.async_wait([this](error_code error) {
      if (!error) io_.stop();
    });
    delivery_->Drain(drain, [this] { asio::post(io_, [this] { io_.stop(); }); });
  }

  void EndWhenIdle() {
    if (!pipeline_.idle() || pipeline_.FinishRuns()) return;
    pipeline_.Tick();
    Stop(ServiceEnd::kDone, DrainOptions{kDrainLimit, /*await_retries=*/true});
  }

  void MaintainStore() {
    const Status done = parts_.history.CheckpointLog();
    if (!done && store_is_well_) spdlog::error("the store: {}", done.error().Text());
    store_is_well_ = done.has_value();
  }

  // The watchdog hears of progress: this thread turns, and the store takes a write.
  void FeedWatchdog() {
    if (parts_.history.SetValue("heartbeat_at", FormatTime(parts_.clock.Now()))) NotifyWatchdog();
  }

  Status StartHeartbeat(const SinkServices& services) {
    if (config_.heartbeat.url_file.empty()) return {};
    heartbeat_ = TRY(
        Heartbeat::Start(config_.heartbeat, services, [this](bool well, const std::string& text) {
          asio::post(io_, [this, well, text] {
            const std::string news = well ? "is heard again" : "is not heard: " + text;
            spdlog::log(well ? spdlog::level::info : spdlog::level::warn, "the heartbeat {}", news);
            (void)parts_.history.SaveEvent(well ? "info" : "warning", "heartbeat", news);
          });
        }));
    return {};
  }

  // Called where the rules have been evaluated. What else makes a full cycle: every directory has
  // been scanned since the last beat, the store takes a write, and no sink's thread is stuck.
  void Beat() {
    if (!heartbeat_ || !store_is_well_ || scanned_.size() < config_.runs.size()) return;
    for (std::size_t i = 0; i < watched_sinks_.size(); ++i) {
      if (watched_sinks_[i]->BusyFor() > config_.sinks[i].timeout + kStuckAfter) return;
    }
    if (!parts_.history.SetValue("heartbeat_at", FormatTime(parts_.clock.Now()))) return;
    scanned_.clear();
    heartbeat_->Beat();
  }

  asio::io_context io_;
  const Config config_;
  const ServiceParts parts_;
  std::unique_ptr<Analyst> analyst_;
  std::vector<std::shared_ptr<WatchedSink>> watched_sinks_;  // in the order of config_.sinks
  std::vector<std::shared_ptr<Sink>> sinks_;                 // the same
  std::unique_ptr<Heartbeat> heartbeat_;
  std::set<std::string> scanned_;  // runs, since the last beat
  std::optional<DeliveryLoop> delivery_;
  Pipeline pipeline_;
  std::optional<Api> api_;
  std::unique_ptr<ApiServer> server_;
  std::map<std::string, std::unique_ptr<Watcher>> watchers_;
  asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGHUP};
  asio::steady_timer stop_deadline_{io_};
  asio::steady_timer idle_timer_{io_};
  std::optional<Config> next_;
  ServiceEnd end_ = ServiceEnd::kStopped;
  bool is_started_ = false;
  bool stopping_ = false;
  bool store_is_well_ = true;
};

}  // namespace

Result<std::unique_ptr<Service>> Service::Start(const Config& config, const ServiceParts& parts) {
  auto service = std::make_unique<RunningService>(config, parts);
  TRY(service->Start());
  return service;
}

}  // namespace couplingd
