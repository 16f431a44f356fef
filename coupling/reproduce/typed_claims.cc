#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "coupling/line_fit.h"
#include "coupling/reproduce/lever_claims.h"
#include "coupling/running_line.h"

namespace couplingd {
namespace {

using enum ReproductionVerdict;

Eigen::VectorXd Log10(const Eigen::VectorXd& values) { return values.array().log10(); }

struct Gradients {
  Eigen::VectorXd size, norm, loss;
};
Gradients MeanGradients(const LeverFacts& facts) {
  const Eigen::Index n = static_cast<Eigen::Index>(facts.gradients.size());
  Gradients all{Eigen::VectorXd(n), Eigen::VectorXd(n), Eigen::VectorXd(n)};
  for (Eigen::Index i = 0; i < n; ++i) {
    all.size[i] = facts.gradients[i].parameters;
    all.norm[i] = facts.gradients[i].norms.mean();
    all.loss[i] = facts.gradients[i].loss;
  }
  return all;
}

// C in ‖∇L‖ ~ exp(−C/L) over `count` models from `first`.
double ArrheniusConstant(const Gradients& all, Eigen::Index first, Eigen::Index count) {
  const Eigen::VectorXd x = all.loss.segment(first, count).cwiseInverse();
  const Eigen::VectorXd y = all.norm.segment(first, count).array().log();
  const Eigen::VectorXd from_mean = x.array() - x.mean();
  return -from_mean.dot(y) / from_mean.squaredNorm();
}

}  // namespace

Claim GradientScaling(const PublishedData& data, const ReproduceOptions&) {
  const Gradients all = MeanGradients(data.levers);
  if (all.size.size() != 6) {
    return Fail(ErrorKind::kInvalidData, "levers.json: gradient norms of six Pythias are needed");
  }
  const LineFit line = TRY(FitLine(Log10(all.size), Log10(all.norm)));
  const double dip = all.norm[3] / std::pow(10, line(std::log10(all.size[3]))) - 1;
  const auto constant = [&](std::string_view range, double published, Eigen::Index first,
                            Eigen::Index count, std::string reason) {
    return ReproducedRow{.quantity = fmt::format("C of ‖∇L‖ ~ exp(−C/L), {}", range),
                         .published = published,
                         .recomputed = ArrheniusConstant(all, first, count),
                         .verdict = kWrong,
                         .reason = std::move(reason)};
  };
  return std::vector<ReproducedRow>{
      {.quantity = "gradient norm ~ N^−β: β",
       .published = 0.40,
       .recomputed = -line.slope,
       .low = -line.slope - line.SlopeHalfWidth(0.95),
       .high = -line.slope + line.SlopeHalfWidth(0.95),
       .verdict = kHolds,
       .reason = fmt::format("6 models, standard error {:.3f}; three devices and two texts",
                             line.slope_stderr)},
      {.quantity = "gradient norm of Pythia-1B against the line",
       .unit = "%",
       .published = -37,
       .recomputed = 100 * dip,
       .verdict = kHolds,
       .reason = "but the 1B has 16 layers, its neighbours 24: depth differs as well"},
      constant("70M to 1B", 28, 0, 4,
               fmt::format("{:.0f} to 410M: depends on where the phase is taken to end",
                           ArrheniusConstant(all, 0, 3))),
      constant("1B to 1.4B", 316, 3, 2, "two points, and of the other sign"),
      constant("1.4B to 2.8B", 196, 4, 2, "two points")};
}

Claim SoftMode(const PublishedData& data, const ReproduceOptions&) {
  const auto& typed = data.levers.eigenvalues;
  if (typed.size() < 2 || !typed[0].loading || !typed[0].d_eff) {
    return Fail(ErrorKind::kInvalidData, "levers.json: the typed eigenvalues are missing");
  }
  std::vector<ReproducedRow> rows;
  for (std::size_t i = 0; i < 2; ++i) {
    // From 410M on, where the first list begins.
    const Eigen::Index n = typed[0].parameters.size();
    const LineFit line =
        TRY(FitLine(Log10(typed[i].parameters.tail(n)), Log10(typed[i].second.tail(n))));
    rows.push_back(
        {.quantity = fmt::format("exponent of λ2 in N, {} typed list", i == 0 ? "first" : "second"),
         .published = -0.72,
         .recomputed = line.slope,
         .low = line.slope - line.SlopeHalfWidth(0.95),
         .high = line.slope + line.SlopeHalfWidth(0.95),
         .verdict = kWrong,
         .reason = "the printed exponent does not follow from the original's own "
                   "numbers, which are typed: no panel is behind them"});
  }
  const double first = typed[0].first[0], second = typed[0].second[0];
  rows.push_back({.quantity = "d_eff at 410M",
                  .published = (*typed[0].d_eff)[0],
                  .recomputed = std::pow(first + second, 2) / (first * first + second * second),
                  .verdict = kWrong,
                  .reason = "of the λ1 and λ2 that stand beside it, which already sum to 5"});
  rows.push_back({.quantity = "TruthfulQA loading of e2 at 12B",
                  .published = -0.39,
                  .recomputed = (*typed[0].loading)[typed[0].loading->size() - 1],
                  .verdict = kUncheckable,
                  .reason = "a typed constant, like the +0.20 at 410M that it is said to rotate "
                            "from"});
  return rows;
}

Claim LockedSlope(const PublishedData& data, const ReproduceOptions&) {
  const auto models = PublishedPanel(data.base, "bootstrap");
  const RunningLine line = TRY(FitRunningLine(
      ConsecutiveCouplings(LogSizesOf(models), 100 * ScoresOf(models, &PanelModel::hellaswag),
                           100 * ScoresOf(models, &PanelModel::truthfulqa), 0.5)));
  const double angle = 38.8 * std::numbers::pi / 180;
  return std::vector<ReproducedRow>{
      {.quantity = "slope of γ12 per decade",
       .published = data.levers.line_slope,
       .recomputed = line.slope,
       .verdict = kWrong,
       .reason = "row 3; the printed slope is not that of the published panel"},
      {.quantity = "sin θ* that it is said to equal",
       .published = 0.626,
       .recomputed = std::sin(angle),
       .verdict = kWrong,
       .reason = "coincidence: θ* is printed as 38.8°, as +0.37 and as −0.40 (a loading), and the "
                 "slope has the unit of a score per decade"},
      {.quantity = "Ginzburg number",
       .published = 1.35,
       .recomputed = std::pow(4.2 / 3.6, 2),
       .verdict = kUncheckable,
       .reason = "of two typed constants; the free energy F has typed coefficients as well"}};
}

}  // namespace couplingd
