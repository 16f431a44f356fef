#include "cli/object_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "cli/cells.h"
#include "cli/screen_text.h"

namespace couplingd {
namespace {

std::string Field(std::string_view name, const std::string& value) {
  return fmt::format("{:<12}{}\n", name, Printable(value));
}

std::string Indented(std::string_view text, std::size_t width, std::size_t indent) {
  std::string result;
  for (const std::string& line :
       Wrap(Printable(text, true), std::max<std::size_t>(width, 40) - indent)) {
    result += std::string(indent, ' ') + line + "\n";
  }
  return result;
}

// The texts of an array, each on its own line after the label.
std::string Texts(const JsonValue& of, std::string_view key, std::string_view label,
                  std::size_t width) {
  std::string text;
  const JsonValue* array = FindMember(of, key);
  if (!array || !array->IsArray()) return text;
  for (const JsonValue& one : array->GetArray()) {
    if (!one.IsString()) continue;
    text += Indented(fmt::format("{}: {}", label, one.GetString()), width, 4);
  }
  return text;
}

std::string InterventionDetails(const JsonValue& intervention, std::size_t width) {
  std::string text = Texts(intervention, "evidence", "evidence", width);
  if (const JsonValue* expected = FindMember(intervention, "expected")) {
    text += Indented("expected: " + TextOf(*expected, "text"), width, 4);
  }
  text += Texts(intervention, "preconditions", "needs", width);
  text += Texts(intervention, "against", "against", width);
  if (const JsonValue* grade = FindMember(intervention, "grade")) {
    text += Indented(
        fmt::format("since then: {}: {}", TextOf(*grade, "verdict"), TextOf(*grade, "reason")),
        width, 4);
  }
  return text;
}

// Who was told what when, or was not, and why.
std::string DecisionsText(const JsonValue& alert, std::size_t width) {
  std::string text;
  const JsonValue* decisions = FindMember(alert, "decisions");
  if (!decisions || !decisions->IsArray() || decisions->Empty()) return text;
  text += "\nwho was told, and why\n";
  for (const JsonValue& one : decisions->GetArray()) {
    const JsonValue* queued = FindMember(one, "queued");
    const std::string detail = TextOf(one, "detail");
    text += Indented(
        fmt::format("{} #{} {}: {}, {}{}", TimeCell(one, "at"), IntegerCell(one, "sequence"),
                    TextOf(one, "sink"), queued && queued->IsTrue() ? "queued" : "held back",
                    TextOf(one, "reason"), detail.empty() ? "" : " (" + detail + ")"),
        width, 2);
  }
  return text;
}

}  // namespace

std::string RenderStatus(const JsonValue& status, std::size_t width) {
  std::string text;
  const JsonValue* daemon = FindMember(status, "daemon");
  if (daemon) {
    const JsonValue* ready = FindMember(*daemon, "ready");
    text += Field("daemon", fmt::format("{}, version {}, pid {}, since {} UTC",
                                        ready && ready->IsTrue() ? "ready" : "not ready",
                                        TextOf(*daemon, "version"), IntegerCell(*daemon, "pid"),
                                        TimeCell(*daemon, "started_at")));
  } else {
    text += Field("daemon", "not asked: this is the database alone");
  }
  text += Field("store", TextCell(status, "store"));
  text += Field("config", TextCell(status, "config"));
  text += Field("runs", IntegerCell(status, "runs"));
  text += Field("checkpoints", ListCell(status, "checkpoints"));
  text += Field("alerts", ListCell(status, "alerts"));
  text += Field("deliveries", ListCell(status, "deliveries"));
  if (const std::string digest = FalseAlarmText(status); !digest.empty()) {
    text += Field("alarm rate", digest);
  }
  text += Field("last",
                fmt::format("checkpoint {}, evaluation {}", TimeCell(status, "last_checkpoint_at"),
                            TimeCell(status, "last_evaluation_at")));
  const JsonValue* evaluating = daemon ? FindMember(*daemon, "evaluating") : nullptr;
  if (evaluating && evaluating->IsArray()) {
    for (const JsonValue& one : evaluating->GetArray()) {
      const double progress = NumberOf(one, "progress").value_or(0);
      std::string line = fmt::format("{} step {}: {:.0f}%", TextOf(one, "run"),
                                     IntegerCell(one, "step"), 100 * progress);
      if (const auto left = NumberOf(one, "seconds_left")) {
        constexpr double kLongest = 1e9;  // seconds
        const auto seconds = static_cast<std::int64_t>(std::clamp(*left, 0.0, kLongest));
        line += fmt::format(", {} left", RoughSpan(std::chrono::seconds(seconds)));
      }
      text += Field("evaluating", line);
    }
  }
  const JsonValue* problems = FindMember(status, "problems");
  if (!problems || !problems->IsArray() || problems->Empty())
    return text + Field("problems", "none");
  text += "problems\n";
  for (const JsonValue& problem : problems->GetArray()) {
    const double count = NumberOf(problem, "count").value_or(1);
    text +=
        Indented(fmt::format("{} {} {}: {}{}", TimeCell(problem, "at"), TextOf(problem, "level"),
                             TextOf(problem, "subject"), TextOf(problem, "text"),
                             count > 1 ? fmt::format(" ({:.0f} times)", count) : ""),
                 width, 2);
  }
  return text;
}

std::string FalseAlarmText(const JsonValue& status) {
  const JsonValue* digest = FindMember(status, "false_alarms");
  const JsonValue* rules = digest ? FindMember(*digest, "rules") : nullptr;
  if (!rules || !rules->IsArray() || rules->Empty()) return "";
  double estimates = 0;
  for (const JsonValue& rule : rules->GetArray()) {
    estimates += NumberOf(rule, "estimates").value_or(0);
  }
  return fmt::format("at most {:.2g} false alarms expected so far, from {:.0f} looks",
                     NumberOf(*digest, "expected").value_or(0), estimates);
}

std::string RenderAlert(const JsonValue& alert, std::size_t width) {
  std::string text =
      Field("alert", fmt::format("{} #{}", TextOf(alert, "key"), IntegerCell(alert, "sequence")));
  text += Field("state", fmt::format("{}, {}", TextOf(alert, "state"), TextOf(alert, "severity")));
  text += Field("rule", fmt::format("{} ({})", TextOf(alert, "rule"), TextOf(alert, "kind")));
  text += Field("about", fmt::format("{} {}", TextOf(alert, "run"), TextOf(alert, "subject")));
  text += Field("since", TimeCell(alert, "starts_at") + " UTC");
  if (FindMember(alert, "ends_at")) text += Field("ended", TimeCell(alert, "ends_at") + " UTC");
  text += "\n" + Indented(TextOf(alert, "summary"), width, 0);
  text += Indented(TextOf(alert, "description"), width, 0);
  if (const std::string why = TextOf(alert, "resolution"); !why.empty()) {
    text += "\nwhy it ended\n" + Indented(why, width, 2);
  }
  const JsonValue* interventions = FindMember(alert, "interventions");
  if (interventions && interventions->IsArray() && !interventions->Empty()) {
    text += "\nwhat might be done\n";
    for (const JsonValue& one : interventions->GetArray()) {
      text += Indented(fmt::format("{}: {}", TextOf(one, "kind"), TextOf(one, "action")), width, 2);
      text += Indented("because " + TextOf(one, "reason"), width, 4);
      text += InterventionDetails(one, width);
    }
  }
  if (const JsonValue* by = FindMember(alert, "acknowledged"); by && by->IsObject()) {
    text += Field("in care", fmt::format("of {} since {} UTC. {}", TextOf(*by, "author"),
                                         TimeCell(*by, "at"), TextOf(*by, "reason")));
  }
  const JsonValue* deliveries = FindMember(alert, "deliveries");
  if (deliveries && deliveries->IsArray() && !deliveries->Empty()) {
    text += "\ndeliveries\n";
    for (const JsonValue& one : deliveries->GetArray()) {
      text += Indented(
          fmt::format("{}: {} after {} attempts. {}", TextOf(one, "sink"), TextOf(one, "state"),
                      IntegerCell(one, "attempts"), TextOf(one, "last_outcome")),
          width, 2);
    }
  }
  text += DecisionsText(alert, width);
  return text;
}

}  // namespace couplingd
