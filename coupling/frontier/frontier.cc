#include "coupling/frontier/frontier.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "coupling/partial_correlation.h"

namespace couplingd {
namespace {

using Eigen::Index;

// Models in columns.
struct Columns {
  Eigen::VectorXd x, y;
  std::vector<std::string> labs;
};

template <typename Keep>
Columns Select(const FrontierTable& table, const Keep& keep) {
  std::vector<const FrontierModel*> kept;
  for (const FrontierModel& model : table.models)
    if (keep(model)) kept.push_back(&model);
  Columns columns{Eigen::VectorXd(kept.size()), Eigen::VectorXd(kept.size()), {}};
  for (std::size_t i = 0; i < kept.size(); ++i) {
    columns.x[i] = kept[i]->x;
    columns.y[i] = kept[i]->y;
    columns.labs.push_back(kept[i]->lab);
  }
  return columns;
}

bool IsFitted(const FrontierModel& model) { return !model.IsLater(); }

void FillDate(const FrontierTable& table, const FrontierOptions& options, FrontierReport& report) {
  const auto is_dated = [](const FrontierModel& m) { return IsFitted(m) && m.year.has_value(); };
  const Columns dated = Select(table, is_dated);
  Eigen::VectorXd years(dated.x.size());
  Index i = 0;
  for (const FrontierModel& model : table.models)
    if (is_dated(model)) years[i++] = *model.year;
  auto found = PartialCorrelation(dated.x, dated.y, years, options.level);
  if (found) {
    report.given_date = *found;
  } else {
    report.given_date_reason = found.error().message;
  }
}

void FillModels(const FrontierTable& table, const FrontierOptions& options,
                FrontierReport& report) {
  const std::vector<double> fields = FieldsOf(table, report.line);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    ModelField field{
        .h = fields[i],
        .half_width = report.line.PredictionHalfWidth(table.models[i].x, options.level)};
    if (std::abs(field.h) > field.half_width) {
      field.side = field.h > 0 ? FrontierSide::kAbove : FrontierSide::kBelow;
    }
    report.models.push_back(field);
  }
}

void FillHoldout(const FrontierTable& table, const Columns& own, LabField& lab) {
  const Columns others =
      Select(table, [&](const FrontierModel& m) { return IsFitted(m) && m.lab != lab.lab; });
  const auto line = FitLine(others.x, others.y);
  if (!line) return;
  const Eigen::ArrayXd errors =
      (own.y.array() - line->intercept - line->slope * own.x.array()).abs();
  lab.error = errors.mean();
  if ((own.y.array() > 0).all()) lab.relative_error = (errors / own.y.array()).mean();
  lab.constant_error = (own.y.array() - others.y.mean()).abs().mean();
}

LabField DescribeLab(const FrontierTable& table, const std::string& name, const LineFit& line,
                     const FrontierOptions& options) {
  const Columns own =
      Select(table, [&](const FrontierModel& m) { return IsFitted(m) && m.lab == name; });
  LabField lab{.lab = name, .models = static_cast<int>(own.x.size())};
  const Eigen::ArrayXd h = own.y.array() - line.intercept - line.slope * own.x.array();
  lab.mean_h = h.mean();
  if (lab.models > 1) {
    const double variance = (h - h.mean()).square().sum() / (lab.models - 1);
    lab.mean_half_width =
        StudentCritical(options.level, lab.models - 1) * std::sqrt(variance / lab.models);
  }
  if (lab.models >= options.least_models) {
    if (const auto own_line = FitLine(own.x, own.y)) {
      lab.slope = own_line->slope;
      lab.slope_half_width = own_line->SlopeHalfWidth(options.level);
    }
  }
  FillHoldout(table, own, lab);
  return lab;
}

std::optional<HoldoutSummary> Summarise(const std::vector<LabField>& labs, int least_models) {
  HoldoutSummary sum;
  double squares = 0;
  for (const LabField& lab : labs) {
    if (lab.models < least_models || !lab.error || !lab.relative_error) continue;
    ++sum.labs;
    sum.error += *lab.error;
    squares += *lab.error * *lab.error;
    sum.relative_error += *lab.relative_error;
    sum.constant_error += *lab.constant_error;
  }
  if (sum.labs == 0) return std::nullopt;
  sum.error /= sum.labs;
  sum.error_sd = std::sqrt(std::max(0.0, squares / sum.labs - sum.error * sum.error));
  sum.relative_error /= sum.labs;
  sum.constant_error /= sum.labs;
  return sum;
}

std::optional<LaterModels> DescribeLater(const FrontierTable& table, const FrontierReport& report,
                                         const Columns& upper) {
  LaterModels later;
  double constant = 0;
  for (std::size_t i = 0; i < table.models.size(); ++i) {
    const FrontierModel& model = table.models[i];
    if (!model.IsLater()) continue;
    ++later.models;
    later.error += std::abs(report.models[i].h);
    later.within += report.models[i].side == FrontierSide::kWithin;
    if (upper.y.size() > 0) constant += std::abs(model.y - upper.y.mean());
    later.repeated += std::ranges::any_of(table.models, [&](const FrontierModel& other) {
      return IsFitted(other) && other.lab == model.lab && other.x == model.x && other.y == model.y;
    });
  }
  if (later.models == 0) return std::nullopt;
  later.error /= later.models;
  if (upper.y.size() > 0) later.constant_error = constant / later.models;
  const Columns all = Select(table, [](const FrontierModel&) { return true; });
  later.r_all = PearsonR(all.x, all.y);
  return later;
}

std::vector<Saturation> Saturations(const Columns& models, const FrontierOptions& options) {
  std::vector<Saturation> both;
  for (const bool by_x : {true, false}) {
    auto found = MeasureSaturation(by_x ? models.x : models.y, by_x ? models.y : models.x,
                                   options.top, options.level, options.replicates, options.seed);
    if (found) both.push_back(std::move(*found));
  }
  return both;
}

}  // namespace

std::string_view ToString(FrontierSide side) {
  switch (side) {
    case FrontierSide::kWithin:
      return "within";
    case FrontierSide::kAbove:
      return "above";
    case FrontierSide::kBelow:
      return "below";
  }
  return "";
}

std::vector<double> FieldsOf(const FrontierTable& table, const LineFit& line) {
  std::vector<double> fields;
  for (const FrontierModel& model : table.models) fields.push_back(model.y - line(model.x));
  return fields;
}

Result<FrontierReport> AnalyseFrontier(const FrontierTable& table, const FrontierOptions& options) {
  const Columns fitted = Select(table, IsFitted);
  if (fitted.x.size() < 4) {
    return Fail(ErrorKind::kInvalidData,
                "a frontier needs 4 models with both scores that are not marked post-cutoff");
  }
  FrontierReport report{.line = TRY(FitLine(fitted.x, fitted.y)),
                        .correlation = TRY(PearsonCorrelation(fitted.x, fitted.y, options.level))};
  ClusterDraw labs(fitted.labs);
  report.labs = static_cast<int>(labs.Clusters());
  if (report.labs > 2) {
    auto drawn = ResampleCorrelation(fitted.x, fitted.y, labs, options.replicates, options.seed);
    if (!drawn.empty()) report.lab_interval = CentralInterval(std::move(drawn), options.level);
  }
  const Columns upper =
      Select(table, [](const FrontierModel& m) { return IsFitted(m) && m.x >= kUpperScores; });
  if (const auto found = PearsonCorrelation(upper.x, upper.y, options.level)) report.upper = *found;
  FillDate(table, options, report);
  FillModels(table, options, report);
  const Eigen::VectorXd h =
      fitted.y.array() - report.line.intercept - report.line.slope * fitted.x.array();
  if (const auto effect = TestGroups(h, fitted.labs, options.replicates, options.seed))
    report.lab_effect = *effect;
  std::map<std::string, int> counts;
  for (const std::string& lab : fitted.labs) ++counts[lab];
  for (const auto& [lab, count] : counts)
    report.lab_fields.push_back(DescribeLab(table, lab, report.line, options));
  std::ranges::stable_sort(report.lab_fields, std::ranges::greater(), &LabField::models);
  report.holdout = Summarise(report.lab_fields, options.least_models);
  report.later = DescribeLater(table, report, upper);
  report.saturation = Saturations(fitted, options);
  if (report.later) {
    report.saturation_with_later =
        Saturations(Select(table, [](const FrontierModel&) { return true; }), options);
  }
  return report;
}

}  // namespace couplingd
