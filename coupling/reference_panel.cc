#include "coupling/reference_panel.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace couplingd {

bool IsCurated(const PanelModel& model) {
  static constexpr std::array kCurated = {"Phi", "Qwen2.5", "Qwen3", "Gemma"};
  return std::ranges::find(kCurated, model.published_family) != kCurated.end();
}

std::vector<SizedScores> SizedModels(const std::vector<PanelModel>& models, bool curated) {
  std::vector<SizedScores> sized;
  for (const PanelModel& model : models) {
    if (IsCurated(model) != curated) continue;
    sized.push_back({.family = curated ? model.published_family : model.family,
                     .log_parameters = std::log10(model.parameters),
                     .reasoning = *model.hellaswag,
                     .truthfulness = *model.truthfulqa});
  }
  return sized;
}

std::vector<AxisSeries> FamilySeriesOf(const std::vector<PanelModel>& models) {
  const AxisPair axes{.name = "panel",
                      .reasoning = {"hellaswag", "acc_norm"},
                      .truthfulness = {"truthfulqa_mc2", "acc"}};
  std::vector<AxisSeries> all;
  for (const std::string& name : FamiliesOf(models)) {
    AxisSeries series{.family = name, .axes = axes};
    for (const PanelModel& model : FamilyOf(models, name)) {
      const bool is_twin = !series.observations.empty() &&
                           *series.observations.back().parameters == model.parameters;
      if (is_twin) continue;
      series.observations.push_back({.parameters = model.parameters,
                                     .reasoning = *model.hellaswag,
                                     .truthfulness = *model.truthfulqa});
    }
    if (series.observations.size() > 1) all.push_back(std::move(series));
  }
  return all;
}

bool ReferencePanel::HasAxes(std::string_view axes) {
  return axes == "hellaswag.acc_norm,truthfulqa_mc2.acc";
}

Result<ReferencePanel> ShippedReference(const EquivalenceOptions& draws) {
  const BasePanel base = TRY(ShippedBasePanel());
  const std::vector<PanelModel> models = CleanedPanel(base);
  ReferencePanel panel{
      .web = SizedModels(models, false), .curated = SizedModels(models, true), .draws = draws};
  std::vector<double> sizes, widths;
  for (const PanelModel& model : models) {
    if (!model.d_model) continue;
    sizes.push_back(std::log10(model.parameters));
    widths.push_back(std::log10(*model.d_model));
  }
  panel.contrast = TRY(ContrastAtEqualSize(panel.web, panel.curated, draws));
  const auto n = static_cast<Eigen::Index>(sizes.size());
  panel.width = TRY(FitLine(Eigen::Map<Eigen::VectorXd>(sizes.data(), n),
                            Eigen::Map<Eigen::VectorXd>(widths.data(), n)));
  return panel;
}

ReferenceWidth WidthAt(const ReferencePanel& panel, double parameters) {
  const double at = std::log10(parameters);
  const double half = panel.width.PredictionHalfWidth(at, panel.draws.level);
  const double middle = panel.width(at);
  return {.width = std::pow(10, middle),
          .low = std::pow(10, middle - half),
          .high = std::pow(10, middle + half),
          .models = panel.width.n};
}

}  // namespace couplingd
