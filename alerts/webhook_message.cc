#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "alerts/message.h"
#include "alerts/wire_labels.h"
#include "base/json.h"
#include "records/alert_json.h"

namespace couplingd {
namespace {

template <typename Map>
void WriteMap(JsonWriter& json, std::string_view name, const Map& map) {
  json.Key(name).BeginObject();
  for (const auto& [key, value] : map) json.Field(key, value);
  json.EndObject();
}

bool IsResolved(const AlertNews& news) { return news.alert.state == AlertState::kResolved; }

// What all of them have alike.
template <typename TextsOf>
Texts Common(const std::vector<AlertNews>& news, TextsOf texts_of) {
  Texts common = texts_of(news.front().alert);
  for (const AlertNews& each : news) {
    const Texts texts = texts_of(each.alert);
    std::erase_if(common, [&](const auto& text) {
      const auto found = texts.find(text.first);
      return found == texts.end() || found->second != text.second;
    });
  }
  return common;
}

// Rule and run (or family), which the alerts of a message share unless it is a digest.
Texts GroupLabels(const Notification& notification, const Texts& common) {
  Texts labels;
  if (notification.is_digest) return labels;
  for (const char* name : {"alertname", "run", "family"}) {
    const auto found = common.find(name);
    if (found == common.end() || (labels.contains("run") && found->first == "family")) continue;
    labels.insert(*found);
  }
  return labels;
}

std::string GroupKey(const Texts& group) {
  std::string pairs;
  for (const auto& [name, value] : group) {
    std::string quoted;
    for (const char c : value)
      quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
    pairs += fmt::format("{}{}=\"{}\"", pairs.empty() ? "" : ", ", name, quoted);
  }
  return fmt::format("{{}}:{{{}}}", pairs);
}

// What Alertmanager has no field for. A digest leaves out what would make it too large.
void WriteOwn(JsonWriter& json, const AlertNews& news, bool is_digest) {
  const Alert& alert = news.alert;
  const Finding& finding = alert.finding;
  json.Key("couplingd")
      .BeginObject()
      .Field("delivery_id", news.delivery.delivery_id)
      .Field("key", alert.key)
      .Field("sequence", alert.sequence)
      .Field("repeat", news.delivery.repeat)
      .Field("test", alert.is_test)
      .Field("fired_and_resolved", IsResolved(news) && !news.told_firing)
      .Field("resolution", IsResolved(news) ? std::optional(alert.resolution) : std::nullopt)
      .Field("rule", finding.rule)
      .Field("kind", finding.kind)
      .Field("run", finding.run)
      .Field("subject", finding.subject)
      .Field("command", LookCommand(finding));
  WriteMap(json, "values", finding.values);
  if (!is_digest) {
    json.Key("interventions");
    WriteInterventions(json, finding.interventions);
  }
  json.EndObject();
}

void WriteAlert(JsonWriter& json, const AlertNews& news, bool is_digest) {
  constexpr std::size_t kFingerprintDigits = 16;
  const Alert& alert = news.alert;
  json.BeginObject().Field("status", ToString(alert.state));
  WriteMap(json, "labels", WireLabels(alert.finding));
  WriteMap(json, "annotations", WireAnnotations(alert));
  json.Field("startsAt", FormatTime(alert.starts_at))
      .Field("endsAt", IsResolved(news) ? FormatTime(alert.ends_at) : kZeroTime)
      .Field("generatorURL", "")
      .Field("fingerprint", alert.key.substr(0, kFingerprintDigits));
  WriteOwn(json, news, is_digest);
  json.EndObject();
}

}  // namespace

std::string RenderWebhook(const Notification& notification) {
  const std::vector<AlertNews>& news = notification.news;
  const bool all_resolved = std::ranges::all_of(news, IsResolved);
  const Texts labels = Common(news, [](const Alert& alert) { return WireLabels(alert.finding); });
  const Texts group = GroupLabels(notification, labels);
  JsonWriter json;
  json.BeginObject()
      .Field("version", "4")
      .Field("groupKey", GroupKey(group))
      .Field("truncatedAlerts", 0)
      .Field("status", all_resolved ? "resolved" : "firing")
      .Field("receiver", news.front().delivery.sink);
  WriteMap(json, "groupLabels", group);
  WriteMap(json, "commonLabels", labels);
  WriteMap(json, "commonAnnotations", Common(news, WireAnnotations));
  json.Field("externalURL", "").Key("alerts").BeginArray();
  for (const AlertNews& each : news) WriteAlert(json, each, notification.is_digest);
  json.EndArray();
  json.Key("couplingd")
      .BeginObject()
      .Field("delivery_id", notification.delivery_id)
      .Field("digest", notification.is_digest)
      .EndObject()
      .EndObject();
  return json.Text();
}

}  // namespace couplingd
