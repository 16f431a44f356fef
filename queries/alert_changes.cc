#include "queries/alert_changes.h"

#include <fmt/format.h>

#include <algorithm>

#include "alerts/notification_policy.h"
#include "alerts/notify.h"
#include "base/units.h"
#include "records/matcher.h"

namespace couplingd {
namespace {

constexpr std::string_view kBody = "request body";

Result<std::vector<std::string>> ReadMatchers(const JsonValue& body) {
  const JsonValue* array = FindMember(body, "matchers");
  std::vector<std::string> texts;
  if (array && array->IsArray()) {
    for (const JsonValue& element : array->GetArray()) {
      if (!element.IsString()) return Fail(ErrorKind::kUsage, "a matcher is no text");
      texts.emplace_back(element.GetString(), element.GetStringLength());
      TRY(Matcher::Parse(texts.back()));
    }
  }
  if (!texts.empty()) return texts;
  return Fail(ErrorKind::kUsage, "a silence needs at least one condition on labels",
              "such as run=my-run-1b or kind=~phase|sign_change");
}

Result<std::string> ReadNonEmpty(const JsonValue& body, std::string_view field) {
  std::string text = TRY(GetString(body, field, kBody));
  if (!text.empty()) return text;
  return Fail(ErrorKind::kUsage, fmt::format("{} must not be empty", field));
}

// When the silence ends: as asked, at most so late as the configuration allows.
Result<UnixMillis> ReadEnd(const JsonValue& body, const Config& config, UnixMillis now) {
  const std::chrono::milliseconds longest = config.notify.longest_silence;
  const auto seconds = TRY(FindDouble(body, "seconds", kBody));
  if (!seconds) return now + longest.count();
  const double most = static_cast<double>(longest.count()) / 1000;
  if (*seconds >= 1 && *seconds <= most) return now + static_cast<UnixMillis>(*seconds * 1000);
  return Fail(ErrorKind::kUsage,
              fmt::format("a silence lasts between 1s and {}", FormatDuration(longest)),
              "notify.longest_silence says so; renew it when it ends");
}

Result<std::string> AddSilence(HistoryWriter& history, const Config& config, UnixMillis now,
                               const JsonValue& body) {
  Silence silence;
  silence.matchers = TRY(ReadMatchers(body));
  silence.author = TRY(ReadNonEmpty(body, "author"));
  silence.reason = TRY(ReadNonEmpty(body, "reason"));
  silence.created_at = silence.starts_at = now;
  silence.ends_at = TRY(ReadEnd(body, config, now));
  silence.until_step = TRY(FindInt(body, "until_step", kBody));
  const NotificationState state = TRY(ReadNotificationState(history.reader()));
  const auto held = std::ranges::count_if(state.alerts, [&](const Alert& alert) {
    return alert.state == AlertState::kFiring && IsSilenced(silence, alert, state, now);
  });
  TRY(history.Transaction([&]() -> Status {
    silence.id = TRY(history.SaveSilence(silence));
    return history.SaveEvent("info", fmt::format("silence {}", silence.id),
                             fmt::format("{} silenced {} until {}: {}", silence.author,
                                         fmt::join(silence.matchers, ", "),
                                         FormatTime(silence.ends_at), silence.reason));
  }));
  JsonWriter json;
  json.BeginObject().Field("id", silence.id).Field("ends_at", FormatTime(silence.ends_at));
  json.Field("holds_back", static_cast<std::int64_t>(held)).EndObject();
  return json.Text();
}

Result<std::string> EndSilence(HistoryWriter& history, UnixMillis now, const JsonValue& body) {
  const std::int64_t id = TRY(GetInt(body, "id", kBody));
  const std::string author = TRY(ReadNonEmpty(body, "author"));
  std::vector<Silence> silences = TRY(history.reader().Silences());
  const auto silence = std::ranges::find(silences, id, &Silence::id);
  if (silence == silences.end()) {
    return Fail(ErrorKind::kNotFound, fmt::format("there is no silence {}", id),
                "see couplingctl alerts silences");
  }
  if (silence->ends_at <= now || !silence->ended_by.empty()) {
    return Fail(ErrorKind::kConflict, fmt::format("silence {} has ended already", id));
  }
  silence->ends_at = now;
  silence->ended_by = author;
  TRY(history.Transaction([&]() -> Status {
    TRY(history.SaveSilence(*silence));
    return history.SaveEvent("info", fmt::format("silence {}", id), author + " ended it");
  }));
  return JsonWriter().BeginObject().Field("id", id).EndObject().Text();
}

// The alert whose key is, or begins with, the text.
Result<Alert> FindFiring(HistoryReader& history, const std::string& key) {
  std::vector<Alert> found;
  for (Alert& alert : TRY(history.Alerts({}))) {
    if (alert.key.starts_with(key)) found.push_back(std::move(alert));
  }
  if (found.empty() || key.empty()) {
    return Fail(ErrorKind::kNotFound, fmt::format("no alert begins with \"{}\"", key),
                "see couplingctl alerts");
  }
  if (found.size() > 1) {
    return Fail(ErrorKind::kUsage, fmt::format("{} alerts begin with \"{}\"", found.size(), key),
                "give more of the key");
  }
  if (found.front().state == AlertState::kFiring) return std::move(found.front());
  return Fail(ErrorKind::kConflict,
              fmt::format("alert {} does not fire: it is {}", found.front().key.substr(0, 8),
                          ToString(found.front().state)));
}

Result<std::string> Acknowledge(HistoryWriter& history, UnixMillis now, const JsonValue& body) {
  const std::string key = TRY(GetString(body, "alert", kBody));
  const Alert alert = TRY(FindFiring(history.reader(), key));
  Acknowledgement acknowledgement;
  acknowledgement.alert_key = alert.key;
  acknowledgement.sequence = alert.sequence;
  acknowledgement.author = TRY(ReadNonEmpty(body, "author"));
  acknowledgement.reason = TRY(FindString(body, "reason", kBody)).value_or("");
  acknowledgement.at = now;
  TRY(history.SaveAcknowledgement(acknowledgement));
  JsonWriter json;
  json.BeginObject().Field("alert", alert.key).Field("sequence", alert.sequence);
  json.Field("summary", alert.finding.summary).EndObject();
  return json.Text();
}

Result<std::string> DeliverAgain(HistoryWriter& history, UnixMillis now, const JsonValue& body) {
  const auto id = TRY(FindInt(body, "id", kBody));
  const std::string sink = TRY(FindString(body, "sink", kBody)).value_or("");
  const int revived =
      id ? TRY(Redeliver(history, *id, now)) : TRY(RedeliverAll(history, sink, now));
  return JsonWriter().BeginObject().Field("deliveries", revived).EndObject().Text();
}

}  // namespace

Result<std::string> ChangeAlerts(HistoryWriter& history, const Config& config, const Clock& clock,
                                 std::string_view verb, const JsonValue& body) {
  const UnixMillis now = clock.Now();
  if (verb == "silence") return AddSilence(history, config, now, body);
  if (verb == "unsilence") return EndSilence(history, now, body);
  if (verb == "acknowledge") return Acknowledge(history, now, body);
  if (verb == "redeliver") return DeliverAgain(history, now, body);
  return Fail(ErrorKind::kNotFound, fmt::format("there is nothing called \"{}\" to change", verb));
}

}  // namespace couplingd
