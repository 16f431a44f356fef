#include "queries/panel_answers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/json.h"

namespace couplingd {
namespace {

void WriteWords(JsonWriter& json, std::string_view key, const std::vector<std::string>& words) {
  json.Key(key).BeginArray();
  for (const std::string& word : words) json.Value(word);
  json.EndArray();
}

std::vector<std::string> TablesOf(const BasePanel& panel) {
  std::vector<std::string> tables;
  for (const PanelModel& model : panel.models) {
    for (const std::string& table : model.tables) {
      if (std::ranges::find(tables, table) == tables.end()) tables.push_back(table);
    }
  }
  return tables;
}

}  // namespace

Result<std::string> AnswerPanel(const BasePanel& panel, const PanelQuery& query) {
  std::vector<PanelModel> models =
      query.table.empty() ? CleanedPanel(panel) : PublishedPanel(panel, query.table);
  if (models.empty()) {
    return Fail(ErrorKind::kUsage, fmt::format("the panel has no table \"{}\"", query.table),
                fmt::format("tables are {}", fmt::join(TablesOf(panel), ", ")));
  }
  if (!query.family.empty()) {
    const auto families = FamiliesOf(models);
    models = FamilyOf(models, query.family);
    if (models.empty()) {
      return Fail(ErrorKind::kUsage, fmt::format("the panel has no family \"{}\"", query.family),
                  fmt::format("families are {}", fmt::join(families, ", ")));
    }
  }
  JsonWriter json;
  json.BeginArray();
  for (const PanelModel& model : models) {
    json.BeginObject().Field("model", model.model).Field("family", model.family);
    json.Field("parameters", model.parameters).Field("d_model", model.d_model);
    json.Field("hellaswag", model.hellaswag).Field("truthfulqa_mc2", model.truthfulqa);
    json.Field("arc_challenge", model.arc_challenge).Field("winogrande", model.winogrande);
    json.Field("mmlu", model.mmlu);
    WriteWords(json, "tables", model.tables);
    json.Field("source", model.source);
    WriteWords(json, "flaws", model.flaws);
    json.EndObject();
  }
  json.EndArray();
  return json.Text();
}

std::string PanelFlawsJson(const BasePanel& panel) {
  JsonWriter json;
  json.BeginArray();
  for (const PanelFlaw& flaw : panel.flaws) {
    json.BeginObject().Field("flaw", flaw.name).Field("treatment", ToString(flaw.treatment));
    json.Field("explanation", flaw.explanation).EndObject();
  }
  json.EndArray();
  return json.Text();
}

Result<std::string> AnswerReproduce(const PublishedData& data, const ReproduceOptions& options) {
  JsonWriter json;
  json.BeginArray();
  for (const ReproducedRow& row : TRY(Reproduce(data, options))) {
    json.BeginObject().Field("id", row.id).Field("quantity", row.quantity).Field("unit", row.unit);
    json.Field("published", row.published).Field("recomputed", row.recomputed);
    json.Field("low", row.low).Field("high", row.high).Field("level", row.level);
    json.Field("verdict", ToString(row.verdict)).Field("reason", row.reason).EndObject();
  }
  json.EndArray();
  return json.Text();
}

}  // namespace couplingd
