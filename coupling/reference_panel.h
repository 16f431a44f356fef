// What the shipped panel of base models says that advice can rest on.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "coupling/line_fit.h"
#include "coupling/observation.h"
#include "coupling/panel/base_panel.h"
#include "coupling/scale_equivalence.h"

namespace couplingd {

// Phi, Qwen2.5, Qwen3 and Gemma: trained on filtered or synthetic text. The others: mostly on the
// web.
bool IsCurated(const PanelModel& model);
// Both axes of every model that is curated, or is not. The families of curated models are those of
// their makers, whose generations share data. REQUIRES: they have both.
std::vector<SizedScores> SizedModels(const std::vector<PanelModel>& models, bool curated);

// Every family with two sizes or more, as a series over scale on the panel's axes.
std::vector<AxisSeries> FamilySeriesOf(const std::vector<PanelModel>& models);

struct ReferencePanel {
  // Models with both default axes, scored by one leaderboard or by their makers.
  std::vector<SizedScores> web, curated;
  // TruthfulQA of curated over web families at equal size.
  RecipeContrast contrast;
  LineFit width;  // log10 d_model over log10 parameters
  EquivalenceOptions draws;

  // The panel's axes: HellaSwag acc_norm and TruthfulQA MC2, under the names lm-evaluation-harness
  // gives them. Elsewhere the panel says nothing about the scores.
  static bool HasAxes(std::string_view axes);
};

// Pure; the same draws give the same bits. Takes some hundredths of a second.
Result<ReferencePanel> ShippedReference(const EquivalenceOptions& draws);

struct ReferenceWidth {
  double width = 0;
  double low = 0, high = 0;  // where a further model of this size lies, at the level of the draws
  int models = 0;
};
// Parameters > 0.
ReferenceWidth WidthAt(const ReferencePanel& panel, double parameters);

}  // namespace couplingd
