// Waiting in a test for what another thread or process does.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace couplingd {

// Whether `holds` is seen to hold before the limit has passed.
inline bool Eventually(const std::function<bool()>& holds,
                       std::chrono::milliseconds limit = std::chrono::seconds(60)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace couplingd
