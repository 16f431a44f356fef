#include <fmt/format.h>

#include "base/json.h"
#include "history/rows.h"

namespace couplingd {
namespace {

Result<std::vector<std::string>> TextsFromJson(const std::string& text, std::string_view source) {
  const JsonDocument json = TRY(ParseJson(text, source));
  if (!json.IsArray()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: matchers are no array", source));
  }
  std::vector<std::string> texts;
  for (const JsonValue& element : json.GetArray()) {
    if (!element.IsString()) {
      return Fail(ErrorKind::kInvalidData, fmt::format("{}: a matcher is no text", source));
    }
    texts.emplace_back(element.GetString(), element.GetStringLength());
  }
  return texts;
}

}  // namespace

std::string TextsToJson(const std::vector<std::string>& texts) {
  JsonWriter json;
  json.BeginArray();
  for (const std::string& text : texts) json.Value(text);
  return json.EndArray().Text();
}

Result<Delivery> ReadDelivery(Statement& row) {
  Delivery delivery;
  std::string severity;
  row.Read(delivery.id, delivery.delivery_id, delivery.sink, delivery.alert_key, delivery.sequence,
           delivery.attempts, delivery.next_attempt_at, delivery.state, delivery.last_outcome,
           delivery.updated_at, delivery.repeat, delivery.group, severity, delivery.message,
           delivery.receipt);
  const std::optional<Severity> known = ParseSeverity(severity);
  if (!known) return UnknownText(fmt::format("delivery {}", delivery.id), "severity", severity);
  delivery.severity = *known;
  return delivery;
}

Result<Silence> ReadSilence(Statement& row) {
  Silence silence;
  std::string matchers;
  row.Read(silence.id, matchers, silence.author, silence.reason, silence.created_at,
           silence.starts_at, silence.ends_at, silence.until_step, silence.ended_by);
  silence.matchers = TRY(TextsFromJson(matchers, fmt::format("silence {}", silence.id)));
  return silence;
}

Result<Acknowledgement> ReadAcknowledgement(Statement& row) {
  Acknowledgement acknowledgement;
  row.Read(acknowledgement.alert_key, acknowledgement.sequence, acknowledgement.author,
           acknowledgement.reason, acknowledgement.at);
  return acknowledgement;
}

Result<NotificationDecision> ReadDecision(Statement& row) {
  NotificationDecision decision;
  row.Read(decision.at, decision.alert_key, decision.sequence, decision.sink, decision.is_sent,
           decision.reason, decision.detail);
  return decision;
}

}  // namespace couplingd
