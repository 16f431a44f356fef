#include "records/alert_json.h"

namespace couplingd {
namespace {

void WriteTexts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  json.Key(key).BeginArray();
  for (const std::string& text : texts) json.Value(text);
  json.EndArray();
}

void WriteExpected(JsonWriter& json, const std::optional<ExpectedEffect>& expected) {
  json.Key("expected");
  if (!expected) {
    json.Null();
    return;
  }
  json.BeginObject().Field("quantity", expected->quantity).Field("text", expected->text);
  json.Field("value", expected->value).Field("low", expected->low);
  json.Field("high", expected->high).EndObject();
}

void WriteGrade(JsonWriter& json, const InterventionGrade& grade) {
  json.Key("grade").BeginObject().Field("verdict", ToString(grade.verdict));
  json.Field("change", grade.change).Field("low", grade.low).Field("high", grade.high);
  json.Field("reason", grade.reason).EndObject();
}

std::unexpected<Error> Problem(std::string_view source, std::string_view cause) {
  return Fail(ErrorKind::kInvalidData, std::string(source) + ": " + std::string(cause));
}

Result<std::vector<std::string>> FindTexts(const JsonValue& object, std::string_view key,
                                           std::string_view source) {
  std::vector<std::string> texts;
  const JsonValue* array = FindMember(object, key);
  if (!array) return texts;
  if (!array->IsArray()) return Problem(source, std::string(key) + " is no array");
  for (const JsonValue& text : array->GetArray()) {
    if (!text.IsString())
      return Problem(source, std::string(key) + " holds something else than text");
    texts.emplace_back(text.GetString(), text.GetStringLength());
  }
  return texts;
}

Result<std::optional<ExpectedEffect>> FindExpected(const JsonValue& object,
                                                   std::string_view source) {
  const JsonValue* expected = FindMember(object, "expected");
  if (!expected) return std::nullopt;
  return ExpectedEffect{.quantity = TRY(GetString(*expected, "quantity", source)),
                        .text = TRY(GetString(*expected, "text", source)),
                        .value = TRY(FindDouble(*expected, "value", source)),
                        .low = TRY(FindDouble(*expected, "low", source)),
                        .high = TRY(FindDouble(*expected, "high", source))};
}

}  // namespace

void WriteInterventions(JsonWriter& json, std::span<const Intervention> interventions,
                        std::span<const InterventionGrade> grades) {
  json.BeginArray();
  for (std::size_t i = 0; i < interventions.size(); ++i) {
    const Intervention& one = interventions[i];
    json.BeginObject().Field("kind", one.kind).Field("action", one.action);
    json.Field("reason", one.reason);
    WriteTexts(json, "evidence", one.evidence);
    WriteExpected(json, one.expected);
    WriteTexts(json, "preconditions", one.preconditions);
    WriteTexts(json, "against", one.against);
    if (i < grades.size()) WriteGrade(json, grades[i]);
    json.EndObject();
  }
  json.EndArray();
}

Result<std::vector<Intervention>> ReadInterventions(const JsonValue& array,
                                                    std::string_view source) {
  if (!array.IsArray()) return Problem(source, "interventions are no array");
  std::vector<Intervention> interventions;
  for (const JsonValue& element : array.GetArray()) {
    interventions.push_back({.kind = TRY(GetString(element, "kind", source)),
                             .action = TRY(GetString(element, "action", source)),
                             .reason = TRY(GetString(element, "reason", source)),
                             .evidence = TRY(FindTexts(element, "evidence", source)),
                             .expected = TRY(FindExpected(element, source)),
                             .preconditions = TRY(FindTexts(element, "preconditions", source)),
                             .against = TRY(FindTexts(element, "against", source))});
  }
  return interventions;
}

}  // namespace couplingd
