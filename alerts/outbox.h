// The decisions of delivery, pure: which message is next, and what follows from the outcome of an
// attempt.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "alerts/sink.h"
#include "base/clock.h"
#include "records/alert.h"

namespace couplingd {

// How long to wait after the given number of failed attempts: 5 s, 30 s, 2 min, 5 min, 15 min, 30
// min, then an hour each time, by ±20 % that depend on the delivery id and the attempt alone;
// nullopt once that has gone on for 75 hours.
std::optional<std::chrono::milliseconds> RetryDelay(int failed_attempts,
                                                    const std::string& delivery_id);

struct PickRules {
  std::string sink;
  int most_alerts = 1;  // of one message
  int storm = 100;      // more waiting alerts than these make a digest
  bool hurry = false;   // what was not tried yet is due
};

struct Pick {
  std::vector<Delivery> due;  // the rows of the message to send now
  bool is_digest = false;
  std::optional<UnixMillis> next_at;  // otherwise: when one will be due; absent if none is pending
};

// Of the sink's pending rows, per alert only the lowest sequence is ever due; of those a critical
// one first, else the one that has waited longest. Where it belongs to a message that was put
// together before, what is left of that one; else others of its group join it that were not tried
// yet, or in a storm all that were not tried yet, of whatever group, at most kMostDigested.
// Critical ones join no digest.
Pick PickMessage(const std::vector<Delivery>& pending, const PickRules& rules, UnixMillis now);

// The id of a message that is put together now.
std::string MessageId(const Pick& pick);

// The row as it is to be stored after an attempt. A retry waits for the longer of RetryDelay and
// the peer's Retry-After; a cancelled attempt leaves the row as it was, to be sent again. A message
// that is refused for good kills its row, but where others were in it, the row goes by itself next.
Delivery AfterAttempt(Delivery delivery, const DeliveryOutcome& outcome, bool had_company,
                      UnixMillis now);

// How long a sink rests, for all its messages, after so many failed attempts in a row: 1 s, 2 s, 4
// s, … 30 s.
std::chrono::milliseconds RestAfterFailures(int failures_in_a_row);

// Not thread-safe.
class TokenBucket {
 public:
  TokenBucket(const Pace& pace, std::chrono::steady_clock::time_point now);
  // Takes a token and returns zero, or returns how long it will be until there is one.
  std::chrono::milliseconds Take(std::chrono::steady_clock::time_point now);

 private:
  Pace pace_;
  double tokens_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace couplingd
