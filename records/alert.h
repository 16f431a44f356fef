// Alerts and what is done about them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace couplingd {

enum class Severity { kInfo, kWarning, kCritical };
// kPending: the rule holds, but not yet for as long as it asks; nobody is told.
enum class AlertState { kPending, kFiring, kResolved };

std::string_view ToString(Severity severity);
std::string_view ToString(AlertState state);
std::optional<Severity> ParseSeverity(std::string_view text);
std::optional<AlertState> ParseAlertState(std::string_view text);

// What an intervention is expected to change.
struct ExpectedEffect {
  std::string quantity;                    // "gamma", "truthfulness", "signal"
  std::string text;                        // one sentence, with where the numbers come from
  std::optional<double> value, low, high;  // of the change; absent where nothing tells its size
};

// What might be done, with its reason. `kind`: curate, widen, recipe, rotate, investigate.
struct Intervention {
  std::string kind;
  std::string action;                      // one sentence
  std::string reason;                      // why, with the numbers it rests on
  std::vector<std::string> evidence = {};  // what else is known, a sentence each
  std::optional<ExpectedEffect> expected = {};
  std::vector<std::string> preconditions = {};  // what has to be so for it to make sense
  std::vector<std::string> against = {};        // reasons not to
};

enum class GradeVerdict { kHolds, kDoesNotHold, kUndetermined };
std::string_view ToString(GradeVerdict verdict);  // "holds", "does not hold", "undetermined"

// What became of an intervention, from what was measured since. It says what followed, not what
// caused it, nor whether anyone acted.
struct InterventionGrade {
  GradeVerdict verdict = GradeVerdict::kUndetermined;
  std::optional<double> change, low, high;  // of γ since
  std::string reason;                       // one sentence
};

// What a rule says at one moment about one subject. Same key, same alert.
struct Finding {
  std::string rule;     // name of the rule in the configuration
  std::string kind;     // of the rule: "phase", "sign_change", "evaluation_failing", …
  std::string run;      // or the family's name
  std::string subject;  // what within it: the axis pair, the checkpoint path, …
  bool active = false;  // holds now; false is positive evidence that it does not
  Severity severity = Severity::kWarning;
  std::string summary;      // one line
  std::string description;  // the numbers, the interval, n
  std::map<std::string, std::string> labels;
  std::map<std::string, double>
      values;  // the same numbers for machines: "gamma", "low", "high", "n", …
  std::vector<Intervention> interventions;
};

struct Alert {
  std::string key;            // hash of rule, run and subject; never of times, hosts or scores
  std::int64_t sequence = 0;  // rises by one with every transition of this key
  AlertState state = AlertState::kFiring;
  UnixMillis starts_at = 0;  // since when it is pending or fires
  UnixMillis ends_at = 0;    // 0 while pending or firing
  Finding finding;         // as it fired; once resolved, still what had fired, with `active` false
  std::string resolution;  // why it is over, one sentence; empty while firing
  bool is_test = false;    // marked test alert of `couplingctl alerts test`
};

// One thing to deliver to one sink. Rows leave the outbox only by a recorded outcome.
struct Delivery {
  std::int64_t id = 0;
  std::string delivery_id;  // hash of alert key, sequence and sink; the same on every attempt
  std::string sink;
  std::string alert_key;
  std::int64_t sequence = 0;
  int attempts = 0;
  UnixMillis next_attempt_at = 0;
  std::string state;         // pending, delivered, superseded, dead
  std::string last_outcome;  // text of the last answer or error
  UnixMillis updated_at = 0;
  int repeat = 0;     // how often the sink was told before that this alert fires
  std::string group;  // alerts of one group (run and rule) go into one message
  Severity severity = Severity::kWarning;
  std::string message;  // delivery id of the message that carries it, once that was put together
  std::string receipt;  // what the sink's acknowledgement carried, for later messages
};

// Keeps alerts whose labels match from being sent while it lasts. What they are is still recorded.
struct Silence {
  std::int64_t id = 0;
  std::vector<std::string> matchers;  // Matcher texts, all of which have to hold; at least one
  std::string author;
  std::string reason;
  UnixMillis created_at = 0;
  UnixMillis starts_at = 0;
  UnixMillis ends_at = 0;
  std::optional<std::int64_t> until_step;  // it also ends for a run that has reached this step
  std::string ended_by;                    // who ended it early; empty if nobody did
};

// Someone looks after this firing: no repeats of it are sent.
struct Acknowledgement {
  std::string alert_key;
  std::int64_t sequence = 0;  // of the firing
  std::string author;
  std::string reason;
  UnixMillis at = 0;
};

// Whether a sink is told of a transition, and why. The newest counts.
struct NotificationDecision {
  UnixMillis at = 0;
  std::string alert_key;
  std::int64_t sequence = 0;
  std::string sink;
  bool is_sent = false;  // a delivery was put into the outbox
  std::string reason;    // one word or two of docs/alerts.md: "fired", "silenced", "inhibited", …
  std::string detail;    // which silence, which alert, until when
};

// What one sink was told about one alert.
struct SinkLedger {
  std::string sink;
  std::string alert_key;
  std::int64_t newest_sequence = 0;  // of its rows
  int newest_repeat = 0;
  std::int64_t newest_id = 0;
  std::string newest_state;       // of that row: pending, delivered, superseded, dead
  bool newest_fires = false;      // it says that the alert fires
  bool newest_attempted = false;  // it was, or may have been, on the wire
  UnixMillis newest_updated_at = 0;
  // When the oldest of the news that it has not acknowledged since its last acknowledgement was put
  // into the outbox, whatever came after it; repeats do not count. 0 if nothing waits.
  UnixMillis waits_since = 0;
  // The newest transition that it acknowledged, or a newer firing that it may have heard of
  // although no acknowledgement came; 0 if none. That an end arrived is never taken for granted.
  std::int64_t known_sequence = 0;
  AlertState known_state = AlertState::kResolved;
};

}  // namespace couplingd
