#include "alerts/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/json.h"
#include "records/alert_json.h"

namespace couplingd {
namespace {

// A word of a shell command; quoted where it has to be.
std::string ShellWord(const std::string& text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) ||
           std::string_view("_-./,:=+@").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string Label(const Finding& finding, const std::string& name) {
  const auto found = finding.labels.find(name);
  return found == finding.labels.end() ? "" : found->second;
}

// "--run NAME" or "--family NAME", whichever the finding is about.
std::string Selection(const Finding& finding) {
  const std::string run = Label(finding, "run");
  if (!run.empty()) return "--run " + ShellWord(run);
  return "--family " + ShellWord(finding.run);
}

std::string CouplingCommand(const Finding& finding) {
  return fmt::format("couplingctl coupling {} --axes {} --over {}", Selection(finding),
                     ShellWord(Label(finding, "axes")), ShellWord(Label(finding, "over")));
}

std::string ForecastCommand(const Finding& finding) {
  return fmt::format("couplingctl forecast {} --axes {}", Selection(finding),
                     ShellWord(Label(finding, "axes")));
}

std::string CheckpointsCommand(const Finding& finding) {
  return fmt::format("couplingctl checkpoints {}", Selection(finding));
}

struct Look {
  std::string_view kind;
  std::string (*command)(const Finding&);
};

constexpr Look kLooks[] = {
    {"phase", CouplingCommand},
    {"sign_change", ForecastCommand},
    {"evaluation_failing", CheckpointsCommand},
    {"checkpoint_overdue", CheckpointsCommand},
    {"bad_checkpoint", CheckpointsCommand},
};

std::string_view TypeOf(const Alert& alert) {
  if (alert.is_test) return "alert.test";
  return alert.state == AlertState::kFiring ? "alert.firing" : "alert.resolved";
}

template <typename Map>
void WriteMap(JsonWriter& json, std::string_view name, const Map& map) {
  json.Key(name).BeginObject();
  for (const auto& [key, value] : map) json.Field(key, value);
  json.EndObject();
}

void WriteLinks(JsonWriter& json, const Finding& finding) {
  json.Key("links").BeginObject().Field("command", LookCommand(finding));
  const std::string runbook = Label(finding, "runbook_url");
  if (!runbook.empty()) json.Field("runbook", runbook);
  json.EndObject();
}

std::optional<std::string> TimeOrNull(UnixMillis time) {
  return time == 0 ? std::nullopt : std::optional(FormatTime(time));
}

}  // namespace

std::string_view StateWord(const AlertNews& news) {
  if (news.alert.is_test) return "TEST";
  if (news.alert.state == AlertState::kFiring) {
    return news.delivery.repeat > 0 ? "STILL FIRING" : "FIRING";
  }
  return news.told_firing ? "RESOLVED" : "FIRED AND RESOLVED";
}

std::string LookCommand(const Finding& finding) {
  for (const Look& look : kLooks) {
    if (look.kind == finding.kind) return look.command(finding);
  }
  return "couplingctl alerts";
}

std::string RenderWebhook(const Notification& notification) {
  const AlertNews& news = notification.news.front();
  const Alert& alert = news.alert;
  const Finding& finding = alert.finding;
  const bool resolved = alert.state == AlertState::kResolved;
  JsonWriter json;
  json.BeginObject()
      .Field("version", "1")
      .Field("type", TypeOf(alert))
      .Field("delivery_id", notification.delivery_id)
      .Field("key", alert.key)
      .Field("sequence", alert.sequence)
      .Field("state", ToString(alert.state))
      .Field("test", alert.is_test)
      .Field("fired_and_resolved", resolved && !news.told_firing)
      .Field("severity", ToString(finding.severity))
      .Field("rule", finding.rule)
      .Field("kind", finding.kind)
      .Field("run", finding.run)
      .Field("subject", finding.subject)
      .Field("summary", finding.summary)
      .Field("description", finding.description)
      .Field("resolution", resolved ? std::optional(alert.resolution) : std::nullopt)
      .Field("starts_at", FormatTime(alert.starts_at))
      .Field("ends_at", TimeOrNull(alert.ends_at));
  WriteMap(json, "labels", finding.labels);
  WriteMap(json, "values", finding.values);
  json.Key("interventions");
  WriteInterventions(json, finding.interventions);
  WriteLinks(json, finding);
  json.EndObject();
  return json.Text();
}

}  // namespace couplingd
