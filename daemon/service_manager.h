// What systemd is told (Type=notify). Without systemd every call does nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace couplingd {

void NotifyReady();
void NotifyStatus(const std::string& text);
void NotifyReloading();
void NotifyStopping();
void NotifyWatchdog();
// How often the watchdog wants to hear, a third of its patience; absent where there is none.
std::optional<std::chrono::milliseconds> WatchdogInterval();

}  // namespace couplingd
