#include <fmt/format.h>

#include "coupling/eigenstructure.h"
#include "coupling/reproduce/base_claims.h"
#include "coupling/width_normalisation.h"

namespace couplingd {
namespace {

using enum ReproductionVerdict;

struct PublishedFlip {
  const char* family;
  double raw, normalised;
};
constexpr PublishedFlip kFlips[] = {{"Pythia", -0.989, 0.963},
                                    {"BLOOM", -0.981, 0.995},
                                    {"Cerebras-GPT", -0.983, 0.996},
                                    {"GPT-Neo", -0.982, 0.985},
                                    {"OPT", -0.428, 0.926}};

Eigen::VectorXd WidthsOf(const std::vector<PanelModel>& models) {
  Eigen::VectorXd widths(static_cast<Eigen::Index>(models.size()));
  for (Eigen::Index k = 0; k < widths.size(); ++k) widths[k] = models[k].d_model.value_or(0);
  return widths;
}

}  // namespace

Claim WidthNormalisation(const PublishedData& data, const ReproduceOptions& options) {
  std::vector<ReproducedRow> rows;
  // All 40,320 orders of Pythia's and OPT's eight sizes are gone through.
  const int permutations = std::max(options.replicates, 40320);
  for (const PublishedFlip& published : kFlips) {
    const auto models = FamilyOf(CleanedPanel(data.base), published.family);
    const WidthNormalisedCoupling found = TRY(NormaliseByWidth(
        ScoresOf(models, &PanelModel::hellaswag), ScoresOf(models, &PanelModel::truthfulqa),
        WidthsOf(models), permutations, options.seed));
    rows.push_back({.quantity = fmt::format("r of {}, raw", published.family),
                    .published = published.raw,
                    .recomputed = found.r_raw,
                    .verdict = std::abs(found.r_raw - published.raw) < 0.0015 ? kHolds : kWrong,
                    .reason = fmt::format("{} sizes", models.size())});
    rows.push_back(
        {.quantity = fmt::format("r of {}, scores over width", published.family),
         .published = published.normalised,
         .recomputed = found.r_normalised,
         .verdict = kArtefact,
         .reason = fmt::format("with TruthfulQA shuffled over the models the same division gives r "
                               "{:.3f} on average, and {:.0f} % of the {} orders give as much",
                               found.null_mean, 100 * found.p, found.permutations)});
    rows.push_back(
        {.quantity = fmt::format("share of {}'s shuffled orders with such an r", published.family),
         .recomputed = found.p,
         .verdict = kArtefact,
         .reason =
             fmt::format("{} {} orders; their mean r is {:.3f}", found.exact ? "all" : "random",
                         found.permutations, found.null_mean)});
  }
  return rows;
}

Claim PythiaEigenvalues(const PublishedData& data, const ReproduceOptions& options) {
  const auto models = FamilyOf(CleanedPanel(data.base), "Pythia");
  const Eigen::MatrixXd scores = ScoreMatrix(models, FiveScores());
  const EigenStructure structure = TRY(DecomposeScores(scores, ScoreMatrixKind::kCorrelation));
  std::vector<ReproducedRow> rows;
  for (Eigen::Index k = 0; k < structure.values.size(); ++k) {
    rows.push_back(
        {.quantity = fmt::format("eigenvalue {} of Pythia's 5 scores", k + 1),
         .recomputed = structure.values[k],
         .verdict = kHolds,
         .reason = fmt::format("of the correlation matrix over {} sizes", models.size())});
  }
  const Interval interval = CentralInterval(
      ResampleEffectiveDimension(scores, ScoreMatrixKind::kCorrelation, ClusterDraw(scores.rows()),
                                 options.replicates, options.seed),
      0.95);
  rows.push_back({.quantity = "their effective dimension (Σλ)²/Σλ²",
                  .recomputed = structure.effective_dimension,
                  .low = interval.low,
                  .high = interval.high,
                  .verdict = kHolds,
                  .reason = "interval from drawing the sizes; eight models of one family"});
  return rows;
}

}  // namespace couplingd
