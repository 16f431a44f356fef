// A dead man's switch: an address that is called while all goes well, so that someone outside
// (healthchecks, Alertmanager's watchdog receiver, …) raises the alarm when the daemon cannot.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "alerts/sink.h"
#include "config/config.h"

namespace couplingd {

// Thread-safe; calls from a thread of its own, which the destructor ends within about a second.
class Heartbeat {
 public:
  // `on_change` hears, on that thread, of the first call that fails and of the first that succeeds
  // again: whether it went well, and what was answered (no secret). Fails where url_file or the
  // address in it will not do.
  static Result<std::unique_ptr<Heartbeat>> Start(
      const HeartbeatConfig& config, const SinkServices& services,
      std::function<void(bool well, const std::string& text)> on_change);
  virtual ~Heartbeat() = default;

  // A full cycle has succeeded. The address is called once per interval, and only if this was said
  // since the last call that went well; a call that fails is tried again half a minute later.
  virtual void Beat() = 0;
};

// A sink that knows for how long it has been at its present task.
class WatchedSink final : public Sink {
 public:
  WatchedSink(std::unique_ptr<Sink> sink, const Clock& clock)
      : sink_(std::move(sink)), clock_(clock) {}

  const std::string& Name() const override { return sink_->Name(); }
  SinkTraits Traits() const override { return sink_->Traits(); }
  DeliveryOutcome Send(const Notification& notification, std::stop_token stop) override;
  DeliveryOutcome Refresh(const std::vector<Alert>& alerts, std::stop_token stop) override;
  // Zero where it does nothing. Of several calls at once, the last to begin.
  std::chrono::milliseconds BusyFor() const;

 private:
  const std::unique_ptr<Sink> sink_;
  const Clock& clock_;
  std::atomic<std::int64_t> since_ = 0;  // steady milliseconds; 0: idle
};

}  // namespace couplingd
