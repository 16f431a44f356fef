// Applies the notification policy to the history: what stands in the outbox afterwards is what
// every sink has still to be told.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "history/store.h"

namespace couplingd {

// One transaction, or a part of the open one.
Status NotifySinks(HistoryWriter& history, const Config& config, UnixMillis now);

// What the policy sees of the history.
struct NotificationState;
Result<NotificationState> ReadNotificationState(HistoryReader& history);

// Puts dead deliveries back into the outbox: the one with the id, or all of the sink ("" for all
// sinks). One that is not the newest of its alert and sink stays dead: the sink would hear of a
// firing after its end. kConflict where `id` names such a one or one that is not dead, kNotFound
// where there is none. Returns how many are tried again.
Result<int> Redeliver(HistoryWriter& history, std::int64_t id, UnixMillis now);
Result<int> RedeliverAll(HistoryWriter& history, const std::string& sink, UnixMillis now);

}  // namespace couplingd
