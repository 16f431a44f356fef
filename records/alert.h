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
enum class AlertState { kFiring, kResolved };

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
  UnixMillis starts_at = 0;
  UnixMillis ends_at = 0;  // 0 while firing
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

}  // namespace couplingd
