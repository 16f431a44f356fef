#include "queries/frontier_answer.h"

#include "base/json.h"

namespace couplingd {
namespace {

// "NAME_low" and "NAME_high", or "low" and "high".
void WriteEnds(JsonWriter& json, const std::string& name, double middle,
               const std::optional<double>& half_width) {
  const std::string prefix = name.empty() ? "" : name + "_";
  json.Field(prefix + "low", half_width ? std::optional(middle - *half_width) : std::nullopt);
  json.Field(prefix + "high", half_width ? std::optional(middle + *half_width) : std::nullopt);
}

void WriteLine(JsonWriter& json, const FrontierReport& report, double level) {
  const LineFit& line = report.line;
  json.Key("line").BeginObject().Field("slope", line.slope);
  WriteEnds(json, "slope", line.slope, line.SlopeHalfWidth(level));
  json.Field("intercept", line.intercept);
  WriteEnds(json, "intercept", line.intercept, line.InterceptHalfWidth(level));
  json.Field("residual_sd", line.residual_sd).Field("n", line.n).Field("labs", report.labs);
  json.EndObject();
}

void WriteCorrelation(JsonWriter& json, std::string_view key,
                      const std::optional<Correlation>& found,
                      const std::optional<Interval>& labs = {}) {
  json.Key(key);
  if (!found) {
    json.Null();
    return;
  }
  json.BeginObject().Field("value", found->r).Field("low", found->interval.low);
  json.Field("high", found->interval.high).Field("p", found->p).Field("n", found->n);
  if (labs) json.Field("lab_low", labs->low).Field("lab_high", labs->high);
  json.EndObject();
}

void WriteModels(JsonWriter& json, const FrontierTable& table, const FrontierReport& report) {
  json.Key("models").BeginArray();
  for (std::size_t i = 0; i < table.models.size(); ++i) {
    const FrontierModel& model = table.models[i];
    const ModelField& field = report.models[i];
    json.BeginObject().Field("name", model.name).Field("lab", model.lab);
    json.Field("date", model.date.empty() ? std::optional<std::string>() : model.date);
    json.Field("x", model.x).Field("y", model.y).Field("h", field.h);
    WriteEnds(json, "", 0, field.half_width);
    json.Field("side", ToString(field.side)).Field("fitted", !model.IsLater());
    json.Key("flaws").BeginArray();
    for (const std::string& flaw : model.flaws) json.Value(flaw);
    json.EndArray().Field("source", model.source).EndObject();
  }
  json.EndArray();
}

void WriteLabs(JsonWriter& json, const FrontierReport& report) {
  json.Key("labs").BeginArray();
  for (const LabField& lab : report.lab_fields) {
    json.BeginObject().Field("lab", lab.lab).Field("n", lab.models).Field("mean_h", lab.mean_h);
    WriteEnds(json, "", lab.mean_h, lab.mean_half_width);
    json.Field("slope", lab.slope);
    WriteEnds(json, "slope", lab.slope.value_or(0), lab.slope_half_width);
    json.Field("error", lab.error).Field("relative_error", lab.relative_error);
    json.Field("constant_error", lab.constant_error).EndObject();
  }
  json.EndArray();
}

void WriteHoldout(JsonWriter& json, const FrontierReport& report) {
  json.Key("lab_effect");
  if (report.lab_effect) {
    json.BeginObject().Field("f", report.lab_effect->f).Field("p", report.lab_effect->p);
    json.Field("labs", report.lab_effect->groups).EndObject();
  } else {
    json.Null();
  }
  json.Key("holdout");
  if (report.holdout) {
    const HoldoutSummary& sum = *report.holdout;
    json.BeginObject().Field("labs", sum.labs).Field("error", sum.error);
    json.Field("error_sd", sum.error_sd).Field("relative_error", sum.relative_error);
    json.Field("constant_error", sum.constant_error).EndObject();
  } else {
    json.Null();
  }
  json.Key("later");
  if (report.later) {
    const LaterModels& later = *report.later;
    json.BeginObject().Field("n", later.models).Field("repeated", later.repeated);
    json.Field("error", later.error).Field("constant_error", later.constant_error);
    json.Field("within", later.within).Field("r_all", later.r_all).EndObject();
  } else {
    json.Null();
  }
}

// `names` are those of the rows that were measured.
void WriteSaturation(JsonWriter& json, const FrontierTable& table,
                     const std::vector<Saturation>& saturation, bool with_later) {
  std::vector<std::string_view> names;
  for (const FrontierModel& model : table.models)
    if (with_later || !model.IsLater()) names.push_back(model.name);
  for (std::size_t i = 0; i < saturation.size(); ++i) {
    const Saturation& found = saturation[i];
    json.BeginObject().Field("by", i == 0 ? table.x_name : table.y_name);
    json.Field("other", i == 0 ? table.y_name : table.x_name).Field("with_later", with_later);
    json.Key("top").BeginArray();
    for (const Eigen::Index row : found.top) json.Value(names[row]);
    json.EndArray().Field("spread", found.spread).Field("other_spread", found.other_spread);
    json.Field("sigma", found.ratio).Field("null_median", found.null_median);
    json.Field("null_low", found.null.low).Field("null_high", found.null.high);
    json.Field("null_p", found.null_p).Field("null_triggers", found.null_trigger);
    json.Field("triggers", found.Triggers()).EndObject();
  }
}

void WritePredictions(JsonWriter& json, std::span<const PredictionStanding> predictions) {
  json.Key("predictions").BeginArray();
  for (const PredictionStanding& one : predictions) {
    json.BeginObject().Field("id", one.prediction.id).Field("name", one.prediction.name);
    json.Field("deadline", one.prediction.deadline).Field("pass", one.prediction.pass);
    json.Field("fail", one.prediction.fail).Field("state", ToString(one.state));
    json.Field("evidence", one.evidence).Field("source", one.prediction.source).EndObject();
  }
  json.EndArray();
}

}  // namespace

std::string FrontierAnswer(const FrontierTable& table, const FrontierOptions& options,
                           const FrontierReport& report,
                           std::span<const PredictionStanding> predictions) {
  JsonWriter json;
  json.BeginObject().Field("source", table.source).Field("x", table.x_name);
  json.Field("y", table.y_name).Field("level", options.level);
  WriteLine(json, report, options.level);
  WriteCorrelation(json, "r", report.correlation, report.lab_interval);
  WriteCorrelation(json, "r_upper", report.upper);
  WriteCorrelation(json, "r_given_date", report.given_date);
  json.Field("r_given_date_reason", report.given_date_reason);
  WriteHoldout(json, report);
  WriteModels(json, table, report);
  WriteLabs(json, report);
  json.Key("saturation").BeginArray();
  WriteSaturation(json, table, report.saturation, false);
  WriteSaturation(json, table, report.saturation_with_later, true);
  json.EndArray();
  WritePredictions(json, predictions);
  return json.EndObject().Text();
}

}  // namespace couplingd
