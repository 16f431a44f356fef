// What delivery does with the store. Every function runs on the thread that owns the writer.
// Internal to alerts/.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "alerts/delivery.h"

namespace couplingd {

// What is known of a sink beside its rows. Used by one store task at a time.
struct SinkMemory {
  std::string sink;
  bool loaded = false;
  std::map<std::string, std::int64_t>
      acknowledged;           // alert key → newest sequence that was delivered
  UnixMillis not_before = 0;  // nothing is sent earlier
  int failures_in_a_row = 0;
};

struct Work {
  std::optional<Notification> notification;  // send this now
  std::optional<UnixMillis> next_at;         // otherwise: when to look again; absent: when woken
};

Result<Work> FindWork(HistoryWriter& writer, SinkMemory& memory, UnixMillis now);

// Stores the outcome, in one transaction, and returns the row as it is now. A row that was
// superseded while its attempt failed stays superseded.
Result<Delivery> RecordOutcome(HistoryWriter& writer, SinkMemory& memory, const Delivery& sent,
                               const DeliveryOutcome& outcome, UnixMillis now);

}  // namespace couplingd
