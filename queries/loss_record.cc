#include "queries/loss_record.h"

#include <fmt/format.h>

#include <cmath>

#include "base/json.h"

namespace couplingd {
namespace {

constexpr std::string_view kBody = "losses";

std::unexpected<Error> Invalid(std::string cause) {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: {}", kBody, cause));
}

Result<LossPoint> ReadPoint(const JsonValue& value) {
  const bool is_point = value.IsArray() && value.Size() == 3 && value[0].IsInt64() &&
                        value[1].IsNumber() && (value[2].IsNull() || value[2].IsNumber());
  if (!is_point || value[0].GetInt64() < 0 || !std::isfinite(value[1].GetDouble())) {
    return Invalid("a point must be [step, loss, tokens or null]");
  }
  LossPoint point{.step = value[0].GetInt64(), .loss = value[1].GetDouble()};
  if (value[2].IsNumber()) point.tokens = value[2].GetDouble();
  return point;
}

}  // namespace

std::string ToJson(const LossImport& import) {
  JsonWriter json;
  json.BeginObject().Field("run", import.run).Field("source", import.source);
  json.Key("points").BeginArray();
  for (const LossPoint& point : import.points) {
    json.BeginArray().Value(point.step).Value(point.loss).Value(point.tokens).EndArray();
  }
  return json.EndArray().EndObject().Text();
}

Result<LossImport> LossImportFromJson(std::string_view text) {
  const JsonDocument document = TRY(ParseJson(text, kBody));
  LossImport import;
  import.run = TRY(GetString(document, "run", kBody));
  import.source = TRY(GetString(document, "source", kBody));
  const JsonValue* points = FindMember(document, "points");
  if (!points || !points->IsArray()) return Invalid("field \"points\" must be a list");
  for (const JsonValue& value : points->GetArray()) import.points.push_back(TRY(ReadPoint(value)));
  return import;
}

std::string ToJson(const LossSummary& summary) {
  JsonWriter json;
  json.BeginObject().Field("points", summary.points).Field("recorded", summary.recorded);
  return json.EndObject().Text();
}

Result<LossSummary> LossSummaryFromJson(std::string_view text) {
  const JsonDocument document = TRY(ParseJson(text, "answer to losses"));
  LossSummary summary;
  summary.points = TRY(GetInt(document, "points", "answer to losses"));
  summary.recorded = TRY(GetInt(document, "recorded", "answer to losses"));
  return summary;
}

Result<LossSummary> RecordLosses(HistoryWriter& history, const LossImport& import) {
  const auto run = TRY(history.reader().FindRun(import.run));
  if (!run) {
    return Fail(ErrorKind::kNotFound, fmt::format("there is no run \"{}\"", import.run),
                "a run is there once it is in the configuration or results of it are imported; see "
                "couplingctl runs");
  }
  LossSummary summary{.points = static_cast<std::int64_t>(import.points.size())};
  summary.recorded =
      TRY(history.SaveLosses(run->id, run->generation, import.source, import.points));
  return summary;
}

}  // namespace couplingd
