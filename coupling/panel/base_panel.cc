#include "coupling/panel/base_panel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/csv.h"
#include "base/numbers.h"
#include "base/units.h"
#include "coupling/panel/panel_text.h"

namespace couplingd {
namespace {

using Eigen::Index;

// One row of a table, field by field, with errors that name file, line and field.
class RowReader {
 public:
  RowReader(const CsvTable& table, const CsvRow& row) : table_(table), row_(row) {}

  Result<std::string> Text(std::string_view column) const {
    return row_.fields[TRY(table_.Column(column))];
  }
  Result<std::string> Name(std::string_view column) const {
    std::string name = TRY(Text(column));
    if (name.empty()) return Problem(column, "is empty");
    return name;
  }
  Result<double> Count(std::string_view column) const {
    const auto count = ParseCount(TRY(Text(column)));
    if (!count || !(*count > 0)) return Problem(column, "is not a count above 0");
    return *count;
  }
  Result<std::optional<double>> Number(std::string_view column, double most) const {
    const std::string text = TRY(Text(column));
    if (text.empty()) return std::nullopt;
    return Parse(column, text, most);
  }
  // Percent on paper, a fraction here: the nearest double of both.
  Result<std::optional<double>> Score(std::string_view column) const {
    const std::string text = TRY(Text(column));
    if (text.empty()) return std::nullopt;
    TRY(Parse(column, text, 100));
    return Parse(column, text + "e-2", 1);
  }
  std::unexpected<Error> Problem(std::string_view column, std::string_view cause) const {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}:{}: field \"{}\" {}", table_.source(), row_.line, column, cause));
  }

 private:
  Result<double> Parse(std::string_view column, const std::string& text, double most) const {
    const auto value = ParseNumber<double>(text);
    if (!value || !(*value >= 0 && *value <= most)) {
      return Problem(column, fmt::format("\"{}\" is not a number from 0 to {}", text, most));
    }
    return *value;
  }

  const CsvTable& table_;
  const CsvRow& row_;
};

Result<PanelModel> ReadModel(const RowReader& row) {
  PanelModel model;
  model.model = TRY(row.Name("model"));
  model.family = TRY(row.Name("family"));
  model.parameters = TRY(row.Count("parameters"));
  const auto width = TRY(row.Number("d_model", 1e6));
  if (width) model.d_model = static_cast<int>(*width);
  model.hellaswag = TRY(row.Score("hellaswag"));
  model.truthfulqa = TRY(row.Score("truthfulqa_mc2"));
  model.arc_challenge = TRY(row.Score("arc_challenge"));
  model.winogrande = TRY(row.Score("winogrande"));
  model.mmlu = TRY(row.Score("mmlu"));
  model.source = TRY(row.Name("source"));
  model.published_family = TRY(row.Name("family_as_published"));
  model.published_source = TRY(row.Name("source_as_published"));
  model.tables = Words(TRY(row.Name("tables")));
  model.flaws = Words(TRY(row.Text("flaws")));
  return model;
}

Result<PanelFlaw> ReadFlaw(const RowReader& row) {
  PanelFlaw flaw;
  flaw.name = TRY(row.Name("flaw"));
  flaw.explanation = TRY(row.Name("explanation"));
  const std::string treatment = TRY(row.Name("treatment"));
  for (const auto known :
       {FlawTreatment::kKept, FlawTreatment::kCorrected, FlawTreatment::kExcluded}) {
    if (treatment != ToString(known)) continue;
    flaw.treatment = known;
    return flaw;
  }
  return row.Problem("treatment", "is neither kept, corrected nor excluded");
}

Result<PanelLoss> ReadLoss(const RowReader& row) {
  PanelLoss loss;
  loss.parameters = TRY(row.Count("parameters"));
  loss.source = TRY(row.Name("source"));
  const auto value = TRY(row.Number("loss", 100));
  if (!value) return row.Problem("loss", "is empty");
  loss.loss = *value;
  return loss;
}

template <typename Row>
Result<std::vector<Row>> ReadRows(std::string_view text, std::string_view source,
                                  Result<Row> (*read)(const RowReader&)) {
  const CsvTable table = TRY(CsvTable::Parse(text, source));
  std::vector<Row> rows;
  for (const CsvRow& row : table.rows()) rows.push_back(TRY(read(RowReader(table, row))));
  return rows;
}

bool Contains(const std::vector<std::string>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

bool IsExcluded(const BasePanel& panel, const PanelModel& model) {
  return std::ranges::any_of(panel.flaws, [&](const PanelFlaw& flaw) {
    return flaw.treatment == FlawTreatment::kExcluded && model.Has(flaw.name);
  });
}

}  // namespace

std::string_view ToString(FlawTreatment treatment) {
  switch (treatment) {
    case FlawTreatment::kKept:
      return "kept";
    case FlawTreatment::kCorrected:
      return "corrected";
    case FlawTreatment::kExcluded:
      return "excluded";
  }
  return "";
}

bool PanelModel::StandsIn(std::string_view table) const { return Contains(tables, table); }
bool PanelModel::Has(std::string_view flaw) const { return Contains(flaws, flaw); }

Result<BasePanel> ReadBasePanel(std::string_view models_csv, std::string_view flaws_csv,
                                std::string_view losses_csv) {
  BasePanel panel;
  panel.models = TRY(ReadRows(models_csv, "base_models.csv", ReadModel));
  panel.flaws = TRY(ReadRows(flaws_csv, "flaws.csv", ReadFlaw));
  panel.pythia_losses = TRY(ReadRows(losses_csv, "pythia_losses.csv", ReadLoss));
  for (const PanelModel& model : panel.models) {
    for (const std::string& flaw : model.flaws) {
      if (std::ranges::find(panel.flaws, flaw, &PanelFlaw::name) != panel.flaws.end()) continue;
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("base_models.csv: {} has the flaw \"{}\", which flaws.csv does not "
                              "explain",
                              model.model, flaw));
    }
  }
  return panel;
}

Result<BasePanel> ShippedBasePanel() {
  return ReadBasePanel(PanelText("base_models.csv"), PanelText("flaws.csv"),
                       PanelText("pythia_losses.csv"));
}

std::vector<PanelModel> CleanedPanel(const BasePanel& panel) {
  std::vector<PanelModel> models;
  std::ranges::copy_if(panel.models, std::back_inserter(models),
                       [&](const PanelModel& model) { return !IsExcluded(panel, model); });
  return models;
}

std::vector<PanelModel> PublishedPanel(const BasePanel& panel, std::string_view table) {
  std::vector<PanelModel> models;
  for (PanelModel model : panel.models) {
    if (!model.StandsIn(table)) continue;
    model.family = model.published_family;
    model.source = model.published_source;
    models.push_back(std::move(model));
  }
  return models;
}

std::vector<PanelModel> FamilyOf(const std::vector<PanelModel>& models, std::string_view family) {
  std::vector<PanelModel> members;
  std::ranges::copy_if(models, std::back_inserter(members),
                       [&](const PanelModel& model) { return model.family == family; });
  std::ranges::stable_sort(members, {}, &PanelModel::parameters);
  return members;
}

std::vector<std::string> FamiliesOf(const std::vector<PanelModel>& models) {
  std::vector<std::string> families;
  for (const PanelModel& model : models) {
    if (!Contains(families, model.family)) families.push_back(model.family);
  }
  return families;
}

std::vector<PanelModel> WithAll(std::vector<PanelModel> models,
                                const std::vector<PanelScore>& scores) {
  std::erase_if(models, [&](const PanelModel& model) {
    return std::ranges::any_of(scores, [&](PanelScore score) { return !(model.*score); });
  });
  return models;
}

Eigen::VectorXd ScoresOf(const std::vector<PanelModel>& models, PanelScore score) {
  Eigen::VectorXd values(static_cast<Index>(models.size()));
  for (Index k = 0; k < values.size(); ++k) values[k] = *(models[k].*score);
  return values;
}

Eigen::MatrixXd ScoreMatrix(const std::vector<PanelModel>& models,
                            const std::vector<PanelScore>& scores) {
  Eigen::MatrixXd matrix(static_cast<Index>(models.size()), static_cast<Index>(scores.size()));
  for (Index j = 0; j < matrix.cols(); ++j) matrix.col(j) = ScoresOf(models, scores[j]);
  return matrix;
}

Eigen::VectorXd LogSizesOf(const std::vector<PanelModel>& models) {
  Eigen::VectorXd sizes(static_cast<Index>(models.size()));
  for (Index k = 0; k < sizes.size(); ++k) sizes[k] = std::log10(models[k].parameters);
  return sizes;
}

const std::vector<PanelScore>& FiveScores() {
  static const std::vector<PanelScore> scores = {&PanelModel::hellaswag, &PanelModel::truthfulqa,
                                                 &PanelModel::arc_challenge,
                                                 &PanelModel::winogrande, &PanelModel::mmlu};
  return scores;
}

}  // namespace couplingd
