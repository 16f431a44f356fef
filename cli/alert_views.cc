// How alerts, what was done about them and what sinks were told look.
#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "base/units.h"
#include "cli/columns.h"
#include "cli/views.h"

namespace couplingd {
namespace {

std::string AlertNote(const JsonValue& row) {
  std::string note = TextOf(row, "summary");
  const JsonValue* interventions = FindMember(row, "interventions");
  if (interventions && interventions->IsArray()) {
    for (const JsonValue& intervention : interventions->GetArray()) {
      note +=
          fmt::format("\n→ {}: {}", TextOf(intervention, "kind"), TextOf(intervention, "action"));
    }
  }
  return note;
}

// How long it would have been firing; "still" where it would be now.
std::string ReplayedFor(const JsonValue& row) {
  if (!FindMember(row, "fired_at")) return std::string(kAbsent);
  const double seconds = NumberOf(row, "seconds").value_or(0);
  const auto span = std::chrono::seconds(std::llround(seconds));
  std::string text = FormatDuration(span);
  if (span >= std::chrono::hours(1))
    text = FormatDuration(std::chrono::floor<std::chrono::minutes>(span));
  return (FindMember(row, "resolved_at") ? "" : "still, ") + text;
}

// What really happened: when it fired, or that it did not.
std::string ReallyCell(const JsonValue& row) {
  const std::string really = TextOf(row, "really");
  if (really == "not") return "did not fire";
  return (really == "only" ? "only: " : "") + TimeCell(row, "real_fired_at");
}

std::string ReplayNote(const JsonValue& row) {
  std::string note = TextOf(row, "summary");
  const JsonValue* from_start = FindMember(row, "from_start");
  if (from_start && from_start->IsTrue()) note += " (held already when the replay begins)";
  const std::string resolution = TextOf(row, "resolution");
  return resolution.empty() ? note : note + "\n✓ " + resolution;
}

}  // namespace

std::vector<View> AlertViews() {
  return {
      {"alerts",
       {{{"alert", [](const JsonValue& row) { return TextOf(row, "key").substr(0, 8); }},
         Cell("state", "state", TextCell),
         Cell("severity", "severity", TextCell),
         Text("rule", "rule"),
         Text("run", "run"),
         Cell("since (UTC)", "starts_at", TimeCell)},
        AlertNote},
       {"key", "sequence", "state", "rule", "kind", "run", "subject", "severity", "summary",
        "description", "starts_at", "ends_at"},
       "no alerts"},
      {"silences",
       {{Integer("id", "id"),
         {"state",
          [](const JsonValue& row) {
            const JsonValue* active = FindMember(row, "active");
            return std::string(active && active->IsTrue() ? "active" : "over");
          }},
         Cell("until (UTC)", "ends_at", TimeCell),
         Integer("or step", "until_step"),
         Text("author", "author"),
         Cell("labels", "matchers", TextsCell)},
        [](const JsonValue& row) { return TextOf(row, "reason"); }},
       {"id", "active", "matchers", "author", "reason", "starts_at", "ends_at", "until_step",
        "ended_by"},
       "no silences"},
      {"replay",
       {{Cell("fired (UTC)", "fired_at", TimeCell),
         {"for", ReplayedFor, true},
         Cell("severity", "severity", TextCell),
         Text("rule", "rule"),
         Text("run", "run"),
         {"really", ReallyCell}},
        ReplayNote},
       {"rule", "kind", "run", "subject", "severity", "summary", "fired_at", "from_start",
        "resolved_at", "seconds", "resolution", "really", "real_fired_at", "real_resolved_at"},
       "nothing would have fired, and nothing did"},
      {"deliveries",
       {{Integer("id", "id"), Text("sink", "sink"), Cell("state", "state", TextCell),
         Integer("tries", "attempts"), Cell("next (UTC)", "next_attempt_at", TimeCell)},
        [](const JsonValue& row) { return TextOf(row, "last_outcome"); }},
       {"id", "delivery_id", "sink", "alert_key", "sequence", "state", "attempts", "repeat",
        "next_attempt_at", "last_outcome"},
       "nothing was to be delivered yet"},
      {"events",
       {{Cell("at (UTC)", "at", TimeCell), Cell("level", "level", TextCell),
         Text("subject", "subject"), Integer("times", "count")},
        [](const JsonValue& row) { return TextOf(row, "text"); }},
       {"at", "level", "subject", "text", "count"},
       "no events"},
  };
}

}  // namespace couplingd
