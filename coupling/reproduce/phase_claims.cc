#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/random.h"
#include "coupling/effective_dimension.h"
#include "coupling/isocline.h"
#include "coupling/phase.h"
#include "coupling/reproduce/lever_claims.h"

namespace couplingd {
namespace {

using enum ReproductionVerdict;

// A model and the next smaller one of its family.
struct FamilyStep {
  const PanelModel* smaller = nullptr;
  const PanelModel* model = nullptr;
  double gamma = 0;
};

// As the original stores γ12: 0 where HellaSwag differs by less than a tenth of a point.
double StoredGamma(const PanelModel& a, const PanelModel& b) {
  const double change = *b.hellaswag - *a.hellaswag;
  return std::abs(change) < 0.001 ? 0 : (*b.truthfulqa - *a.truthfulqa) / change;
}

std::vector<FamilyStep> FamilySteps(const std::vector<PanelModel>& models) {
  std::vector<FamilyStep> steps;
  for (const std::string& family : FamiliesOf(models)) {
    const PanelModel* smaller = nullptr;
    std::vector<const PanelModel*> own;
    for (const PanelModel& model : models)
      if (model.family == family) own.push_back(&model);
    std::ranges::stable_sort(own, {}, &PanelModel::parameters);
    for (const PanelModel* model : own) {
      if (smaller) steps.push_back({smaller, model, StoredGamma(*smaller, *model)});
      smaller = model;
    }
  }
  return steps;
}

// The models whose own γ lies in the phase, with all five scores.
std::vector<PanelModel> InPhase(const std::vector<PanelModel>& models, Phase phase) {
  std::vector<PanelModel> found;
  for (const FamilyStep& step : FamilySteps(models))
    if (ClassifyPhase(step.gamma, step.gamma, {}) == phase) found.push_back(*step.model);
  return found;
}

std::vector<std::string> Families(const std::vector<PanelModel>& models) {
  std::vector<std::string> names;
  for (const PanelModel& model : models) names.push_back(model.family);
  return names;
}

Result<EffectiveDimension> DimensionOf(const std::vector<PanelModel>& models,
                                       const ReproduceOptions& options) {
  return MeasureDimension(
      100 * ScoreMatrix(models, FiveScores()), Families(models),
      {.even_if_few = true, .replicates = 4 * options.replicates, .seed = options.seed});
}

// Share of draws of three models whose d_eff is at most `most`.
double ShareOfTriples(const std::vector<PanelModel>& models, double most,
                      const ReproduceOptions& options) {
  const Eigen::MatrixXd scores = ScoreMatrix(models, FiveScores());
  Random random(options.seed);
  int below = 0;
  for (int i = 0; i < options.replicates; ++i) {
    std::array<std::size_t, 3> rows{};
    do {
      for (std::size_t& row : rows) row = random.Index(models.size());
    } while (rows[0] == rows[1] || rows[0] == rows[2] || rows[1] == rows[2]);
    Eigen::MatrixXd three(3, scores.cols());
    for (int k = 0; k < 3; ++k) three.row(k) = scores.row(static_cast<Eigen::Index>(rows[k]));
    const auto structure = DecomposeScores(three, ScoreMatrixKind::kCovariance);
    below += structure && structure->effective_dimension <= most;
  }
  return static_cast<double>(below) / options.replicates;
}

struct IsoclineCount {
  int falling = 0;   // "above the isocline means that TruthfulQA falls" is right
  int bonus = 0;     // "above means bonus" is right
  int negative = 0;  // "always negative" is right
  int steps = 0;
};

// The isocline taken at the smaller or the larger model of a step.
IsoclineCount CountHits(const std::vector<FamilyStep>& steps, std::string_view family,
                        bool at_smaller) {
  IsoclineCount count;
  for (const FamilyStep& step : steps) {
    if (!family.empty() && step.model->family != family) continue;
    const PanelModel& at = at_smaller ? *step.smaller : *step.model;
    const bool above = *at.truthfulqa > IsoclineTruthfulness(*at.hellaswag);
    ++count.steps;
    count.negative += step.gamma < 0;
    count.falling += above ? step.gamma < 0 : step.gamma > 0;
    count.bonus += above ? step.gamma > 0 : step.gamma < 0;
  }
  return count;
}

}  // namespace

Claim PhaseDimensions(const PublishedData& data, const ReproduceOptions& options) {
  const auto models = WithAll(PublishedPanel(data.base, "consolidated"), FiveScores());
  const auto tax = InPhase(models, Phase::kTax), turn = InPhase(models, Phase::kTransition);
  const auto bonus = InPhase(models, Phase::kBonus);
  const double p =
      TRY(CompareDimensions(ScoreMatrix(tax, FiveScores()), ScoreMatrix(bonus, FiveScores()),
                            {.replicates = options.replicates, .seed = options.seed}));
  std::vector<ReproducedRow> rows;
  const auto add = [&](std::string_view phase, std::optional<double> published,
                       const std::vector<PanelModel>& own, std::string_view more) -> Status {
    const EffectiveDimension found = TRY(DimensionOf(own, options));
    rows.push_back({.quantity = fmt::format("d_eff of five scores, {}", phase),
                    .published = published,
                    .recomputed = found.value,
                    .low = found.interval.low,
                    .high = found.interval.high,
                    .verdict = kWeak,
                    .reason = fmt::format("{} models of {} families by their own γ; families drawn "
                                          "anew{}",
                                          found.models, found.families, more)});
    return {};
  };
  const std::string unlisted = "; which models the original took was never published";
  TRY(add("tax phase", 1.38, tax, unlisted));
  TRY(add("bonus phase", 1.22, bonus, unlisted));
  TRY(add("transition", std::nullopt, turn, ": fewer models than twice the scores"));
  rows.push_back({.quantity = "p that tax and bonus do not differ in d_eff",
                  .recomputed = p,
                  .verdict = kWeak,
                  .reason = "labels dealt out anew: the order holds, the difference is noise"});
  auto large = models;
  std::erase_if(large, [](const PanelModel& model) { return model.parameters < 3.5e9; });
  rows.push_back({.quantity = "share of three random models from 3.5B up with d_eff ≤ 1.15",
                  .recomputed = ShareOfTriples(large, 1.15, options),
                  .verdict = kUncheckable,
                  .reason =
                      "the third published figure, 1.15, is of 3 unnamed models: three points "
                      "lie in a plane, and most give as little"});
  const auto cleaned = WithAll(CleanedPanel(data.base), FiveScores());
  for (const auto& [name, phase] :
       {std::pair("tax phase", Phase::kTax), std::pair("bonus phase", Phase::kBonus)}) {
    TRY(add(fmt::format("{}, cleaned panel", name), std::nullopt, InPhase(cleaned, phase),
            ": without the models that stand in the panel twice the order is gone"));
  }
  return rows;
}

Claim IsoclineHits(const PublishedData& data, const ReproduceOptions&) {
  auto models = PublishedPanel(data.base, "consolidated");
  models = WithAll(models, {&PanelModel::hellaswag, &PanelModel::truthfulqa});
  const std::vector<FamilyStep> steps = FamilySteps(models);
  std::vector<ReproducedRow> rows;
  const std::tuple<const char*, double> printed[] = {{"OPT", 6}, {"BLOOM", 4}, {"Cerebras-GPT", 5}};
  for (const auto& [family, hits] : printed) {
    const IsoclineCount smaller = CountHits(steps, family, true);
    const IsoclineCount larger = CountHits(steps, family, false);
    rows.push_back(
        {.quantity = fmt::format("isocline sign hits of {} in {} steps", family, smaller.steps),
         .published = hits,
         .recomputed = static_cast<double>(smaller.falling),
         .verdict = kWrong,
         .reason =
             fmt::format("only where \"above\" means that TruthfulQA falls, at the smaller "
                         "model ({} at the larger); by the supplement's \"above = bonus\" {}; "
                         "always saying negative hits {}",
                         larger.falling, smaller.bonus, smaller.negative)});
  }
  const IsoclineCount smaller = CountHits(steps, "", true), larger = CountHits(steps, "", false);
  rows.push_back(
      {.quantity = fmt::format("isocline hits in all {} steps, above = bonus", larger.steps),
       .published = 41,
       .recomputed = static_cast<double>(larger.bonus),
       .verdict = kWrong,
       .reason = fmt::format("printed as 41 of 44; at the smaller model {}; always "
                             "saying negative hits {}",
                             smaller.bonus, larger.negative)});
  rows.push_back({.quantity = "isocline at OLMo-7B, √(0.187 · 0.764)",
                  .published = 0.3602,
                  .recomputed = IsoclineTruthfulness(0.764),
                  .verdict = kWrong,
                  .reason = "so that OLMo does not lie on it (its TruthfulQA is 0.360)"});
  return rows;
}

}  // namespace couplingd
