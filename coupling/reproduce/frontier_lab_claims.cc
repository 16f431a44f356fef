#include <fmt/format.h>

#include <algorithm>

#include "coupling/frontier/frontier.h"
#include "coupling/reproduce/lever_claims.h"

namespace couplingd {
namespace {

using enum ReproductionVerdict;

// The lab's residuals from the line of all models, over its core models.
struct CoreLab {
  double mean = 0, half_width = 0;
  int models = 0;
};

CoreLab DescribeCore(const FrontierTable& table, const LineFit& line, const std::string& lab) {
  std::vector<double> h;
  for (const FrontierModel& model : table.models)
    if (model.lab == lab && model.subset == "core") h.push_back(100 * (model.y - line(model.x)));
  const Eigen::Map<Eigen::VectorXd> fields(h.data(), static_cast<Eigen::Index>(h.size()));
  CoreLab found{.mean = fields.mean(), .models = static_cast<int>(h.size())};
  const double squares = (fields.array() - found.mean).square().sum();
  found.half_width = StudentCritical(0.95, found.models - 1) *
                     std::sqrt(squares / (found.models - 1) / found.models);
  return found;
}

// Do labs differ in h, each table with its own line?
Result<GroupEffect> LabEffect(FrontierTable table, bool core, const ReproduceOptions& options) {
  std::erase_if(table.models, [&](const FrontierModel& model) {
    return model.IsLater() || (core && model.subset != "core");
  });
  const FrontierReport report =
      TRY(AnalyseFrontier(table, {.replicates = options.replicates, .seed = options.seed}));
  return *report.lab_effect;
}

const LabField* FindLab(const FrontierReport& report, std::string_view lab) {
  const auto found = std::ranges::find(report.lab_fields, lab, &LabField::lab);
  return found == report.lab_fields.end() ? nullptr : &*found;
}

ReproducedRow SlopeRow(const LabField& lab, double published) {
  return {.quantity = "slope within " + lab.lab,
          .published = published,
          .recomputed = lab.slope,
          .low = *lab.slope - *lab.slope_half_width,
          .high = *lab.slope + *lab.slope_half_width,
          .verdict = kWeak,
          .reason = fmt::format("{} models", lab.models)};
}

}  // namespace

Claim LabFields(const PublishedData& data, const ReproduceOptions& options) {
  const FrontierTable& table = data.frontier.table;
  const FrontierReport report =
      TRY(AnalyseFrontier(table, {.replicates = options.replicates, .seed = options.seed}));
  const LabField *google = FindLab(report, "Google"), *deepseek = FindLab(report, "DeepSeek");
  if (!google || !deepseek || !google->slope || !deepseek->slope) {
    return Fail(ErrorKind::kInvalidData, "frontier_models.csv: Google or DeepSeek is missing");
  }
  const GroupEffect all = TRY(LabEffect(table, false, options));
  const GroupEffect core = TRY(LabEffect(table, true, options));
  const double alone = 100 * report.line.PredictionHalfWidth(report.line.mean_x, 0.95);
  std::vector<ReproducedRow> rows;
  for (const auto& [lab, published] : {std::pair("Google", 5.5), std::pair("Anthropic", -6.9)}) {
    const CoreLab found = DescribeCore(table, report.line, lab);
    rows.push_back({.quantity = fmt::format("mean h of {}, core models", lab),
                    .unit = "points",
                    .published = published,
                    .recomputed = found.mean,
                    .low = found.mean - found.half_width,
                    .high = found.mean + found.half_width,
                    .verdict = kWeak,
                    .reason = fmt::format("{} models; the labs were picked for their extremes",
                                          found.models)});
  }
  const auto effect = [](const GroupEffect& found, std::string_view of) {
    return ReproducedRow{
        .quantity = fmt::format("p that labs do not differ in h, {}", of),
        .recomputed = found.p,
        .verdict = kWeak,
        .reason = fmt::format("F {:.2f} over {} labs, labs dealt out anew", found.f, found.groups)};
  };
  rows.push_back(effect(all, "all models"));
  rows.push_back(effect(core, "core models"));
  rows.push_back({.quantity = "how far one model may lie off the line",
                  .unit = "points",
                  .published = 5,
                  .recomputed = alone,
                  .verdict = kWrong,
                  .reason = fmt::format("residual standard deviation {:.1f}; the cuts at ± 5 and "
                                        "± 10 lie inside the noise: {} of {} models are outside",
                                        100 * report.line.residual_sd,
                                        std::ranges::count_if(report.models,
                                                              [](const ModelField& field) {
                                                                return field.side !=
                                                                       FrontierSide::kWithin;
                                                              }),
                                        report.models.size())});
  rows.push_back(SlopeRow(*google, 1.15));
  rows.push_back(SlopeRow(*deepseek, 0.23));
  rows.push_back(
      {.quantity = "ratio of the two slopes",
       .published = 5,
       .recomputed = *google->slope / *deepseek->slope,
       .verdict = kWeak,
       .reason = fmt::format("Google's interval, [{:.2f}, {:.2f}], holds DeepSeek's slope",
                             *google->slope - *google->slope_half_width,
                             *google->slope + *google->slope_half_width)});
  rows.push_back({.quantity = "DeepSeek held out",
                  .unit = "points",
                  .published = 10.6,
                  .recomputed = 100 * *deepseek->error,
                  .verdict = kWeak,
                  .reason = fmt::format("predicting the other labs' mean errs by {:.1f}",
                                        100 * *deepseek->constant_error)});
  return rows;
}

}  // namespace couplingd
