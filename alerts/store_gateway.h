// What delivery does with the store. Every function runs on the thread that owns the writer.
// Internal to alerts/.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "alerts/delivery.h"
#include "alerts/message.h"

namespace couplingd {

// What is known of a sink beside its rows. Used by one store task at a time.
struct SinkMemory {
  std::string sink;
  SinkTraits traits = {};
  DeliveryOptions options = {};
  bool loaded = false;
  std::map<std::string, std::int64_t>
      acknowledged;                             // alert key → newest sequence that was delivered
  std::map<std::string, std::string> receipts;  // alert key → the newest that is not empty
  UnixMillis not_before = 0;                    // nothing is sent earlier
  int failures_in_a_row = 0;
};

struct Work {
  std::optional<Notification> notification;  // send this now
  std::optional<UnixMillis> next_at;         // otherwise: when to look again; absent: when woken
};

// A message is put together from what waits and stored as such before it is returned: until it is
// acknowledged it goes out with the same id and never with more than it had. `hurry`: what was not
// tried yet is due.
Result<Work> FindWork(HistoryWriter& writer, SinkMemory& memory, UnixMillis now,
                      bool hurry = false);

// Stores the outcome for all that the message carried, in one transaction, and returns the rows as
// they are now. A row that was superseded while its attempt failed stays superseded. A message of
// several alerts that is refused for good is taken apart, and each goes by itself. The first that
// is delivered after three failures in a row makes all that failed before due.
Result<std::vector<Delivery>> RecordOutcome(HistoryWriter& writer, SinkMemory& memory,
                                            const Notification& sent,
                                            const DeliveryOutcome& outcome, UnixMillis now);

// Alerts that the sink has acknowledged: those that fire, and those that ended in the last 15
// minutes.
Result<std::vector<Alert>> FindRefresh(HistoryWriter& writer, SinkMemory& memory, UnixMillis now);

}  // namespace couplingd
