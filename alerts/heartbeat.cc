#include "alerts/heartbeat.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <variant>

#include "alerts/endpoint.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetry = std::chrono::seconds(30);

class CallingHeartbeat final : public Heartbeat {
 public:
  CallingHeartbeat(const HeartbeatConfig& config, Endpoint endpoint,
                   std::function<void(bool, const std::string&)> on_change)
      : interval_(config.interval),
        method_(config.method),
        endpoint_(std::move(endpoint)),
        on_change_(std::move(on_change)),
        thread_([this](std::stop_token stop) { Run(std::move(stop)); }) {}

  void Beat() override {
    const std::lock_guard lock(mutex_);
    beaten_ = true;
    changed_.notify_all();
  }

 private:
  void Run(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return beaten_; }) && !stop.stop_requested()) {
      beaten_ = false;
      lock.unlock();
      const DeliveryOutcome outcome = Call(stop);
      const bool well = outcome.result == DeliveryResult::kDelivered;
      if (outcome.result != DeliveryResult::kCancelled) Tell(well, outcome.text);
      lock.lock();
      beaten_ |= !well;
      const milliseconds rest = well ? interval_ : std::min(interval_, kRetry);
      changed_.wait_for(lock, stop, rest, [] { return false; });
    }
  }

  DeliveryOutcome Call(const std::stop_token& stop) const {
    const auto answer = endpoint_.Send(method_, "", {}, stop);
    if (const auto* outcome = std::get_if<DeliveryOutcome>(&answer)) return *outcome;
    return endpoint_.ByStatus(std::get<HttpResponse>(answer));
  }

  void Tell(bool well, const std::string& text) {
    if (was_well_ != well) on_change_(well, text);
    was_well_ = well;
  }

  const milliseconds interval_;
  const std::string method_;
  const Endpoint endpoint_;
  const std::function<void(bool, const std::string&)> on_change_;
  bool was_well_ = true;  // the thread's own

  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool beaten_ = false;  // guarded by mutex_
  std::jthread thread_;
};

std::int64_t SteadyMillis(const Clock& clock) {
  return std::chrono::duration_cast<milliseconds>(clock.Steady().time_since_epoch()).count();
}

}  // namespace

Result<std::unique_ptr<Heartbeat>> Heartbeat::Start(
    const HeartbeatConfig& config, const SinkServices& services,
    std::function<void(bool well, const std::string& text)> on_change) {
  SinkConfig way;
  way.name = "heartbeat";
  way.url_file = config.url_file;
  way.ca_file = config.ca_file;
  way.proxy_file = config.proxy_file;
  way.timeout = config.timeout;
  way.allow_private = config.allow_private;
  Result<Endpoint> endpoint = Endpoint::Make(way, services, {});
  if (!endpoint) return std::unexpected(endpoint.error().Within("heartbeat"));
  return std::make_unique<CallingHeartbeat>(config, std::move(*endpoint), std::move(on_change));
}

DeliveryOutcome WatchedSink::Send(const Notification& notification, std::stop_token stop) {
  since_ = SteadyMillis(clock_);
  DeliveryOutcome outcome = sink_->Send(notification, std::move(stop));
  since_ = 0;
  return outcome;
}

DeliveryOutcome WatchedSink::Refresh(const std::vector<Alert>& alerts, std::stop_token stop) {
  since_ = SteadyMillis(clock_);
  DeliveryOutcome outcome = sink_->Refresh(alerts, std::move(stop));
  since_ = 0;
  return outcome;
}

milliseconds WatchedSink::BusyFor() const {
  const std::int64_t since = since_;
  return milliseconds(since == 0 ? 0 : SteadyMillis(clock_) - since);
}

}  // namespace couplingd
