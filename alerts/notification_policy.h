// Who is told what, and why not: pure. Levels, not events: what is decided follows from how the
// alerts stand and from what each sink was told, so that a restart, a silence that ends or a sink
// that is added later needs no case of its own.
//
// A sink that knows, or may know, that an alert fires is told when it is over, whatever silences,
// inhibitions or conditions say by then.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "records/alert.h"

namespace couplingd {

struct NotificationState {
  std::vector<Alert> alerts;  // the newest transition of each key; test alerts are passed over
  std::vector<SinkLedger> ledgers;
  std::vector<Silence> silences;
  std::vector<Acknowledgement> acknowledgements;
  std::map<std::string, std::int64_t> latest_step;  // by run
};

// What follows for one alert and one sink.
struct NotificationStep {
  std::optional<Delivery> add;           // as HistoryWriter::AddDelivery takes it
  std::optional<std::int64_t> withdraw;  // id of a delivery that was not begun
  NotificationDecision decision;
};

// The reasons of decisions:
//   sent: fired, still firing, resolved, fired and resolved, fallback
//   held: silenced, inhibited, not matched, standby, never told
std::vector<NotificationStep> DecideNotifications(const NotificationState& state,
                                                  const Config& config, UnixMillis now);

// What conditions see: the labels of the finding, and rule, kind, subject, severity and about (the
// run or family).
std::map<std::string, std::string> MatchLabels(const Finding& finding);

// It lasts now, and for this alert.
bool IsSilenced(const Silence& silence, const Alert& alert, const NotificationState& state,
                UnixMillis now);

// Alerts of one group go into one message.
std::string GroupOf(const Finding& finding);

}  // namespace couplingd
