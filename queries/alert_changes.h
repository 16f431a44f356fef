// What people do about alerts: silence, acknowledge, deliver again. The daemon and couplingctl
// (where no daemon runs) go the same way.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "config/config.h"
#include "history/store.h"

namespace couplingd {

// The verbs and their bodies; the answer is a JSON object:
//   silence     {matchers: [text, …], author, reason, seconds?, until_step?}
//               → {id, ends_at, holds_back: how many alerts that fire now}
//   unsilence   {id, author} → {id}
//   acknowledge {alert: key or its beginning, author, reason} → {alert, sequence, summary}
//   redeliver   {id} | {sink} | {} → {deliveries: how many are tried again}
// kUsage for a body that asks for nothing sensible, kNotFound and kConflict as they say.
Result<std::string> ChangeAlerts(HistoryWriter& history, const Config& config, const Clock& clock,
                                 std::string_view verb, const JsonValue& body);

}  // namespace couplingd
