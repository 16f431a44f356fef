#include "daemon/service_manager.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <ctime>

namespace couplingd {
namespace {

void Notify(const std::string& state) { sd_notify(/*unset_environment=*/0, state.c_str()); }

}  // namespace

void NotifyReady() { Notify("READY=1"); }
void NotifyStatus(const std::string& text) { Notify("STATUS=" + text); }
void NotifyStopping() { Notify("STOPPING=1"); }
void NotifyWatchdog() { Notify("WATCHDOG=1"); }

void NotifyReloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  Notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1000000 + now.tv_nsec / 1000));
}

std::optional<std::chrono::milliseconds> WatchdogInterval() {
  std::uint64_t patience = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/0, &patience) <= 0) return std::nullopt;
  return std::chrono::milliseconds(patience / 3000);
}

}  // namespace couplingd
