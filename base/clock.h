// The one source of time. Logic takes a Clock&; only main() makes a SystemClock.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace couplingd {

using UnixMillis = std::int64_t;  // milliseconds since 1970-01-01 UTC

class Clock {
 public:
  virtual ~Clock() = default;
  virtual UnixMillis Now() const = 0;
  // Never goes backwards; for measuring spans.
  virtual std::chrono::steady_clock::time_point Steady() const = 0;
};

// Thread-safe.
class SystemClock final : public Clock {
 public:
  UnixMillis Now() const override;
  std::chrono::steady_clock::time_point Steady() const override;
};

// A clock that a test moves by hand. Not thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(UnixMillis start) : now_(start) {}
  UnixMillis Now() const override { return now_; }
  std::chrono::steady_clock::time_point Steady() const override {
    return std::chrono::steady_clock::time_point(std::chrono::milliseconds(now_));
  }
  void Advance(std::chrono::milliseconds by) { now_ += by.count(); }

 private:
  UnixMillis now_;
};

// "2026-11-23T14:05:00.123Z" (RFC 3339, UTC, milliseconds).
std::string FormatTime(UnixMillis time);

}  // namespace couplingd
