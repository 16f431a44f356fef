#include <cmath>

#include "coupling/comparison.h"
#include "coupling/loss_law.h"
#include "queries/comparison_lines.h"
#include "queries/loss_curve.h"

namespace couplingd {
namespace {

// The smoothed loss at a place, with how far a group of the log lies off the run's power law.
struct LossAt {
  double loss = 0;
  double variance = 0;
  double dof = 0;
};

Result<std::optional<LossAt>> FindLoss(HistoryReader& history, const Run& run, std::int64_t step,
                                       const std::optional<double>& tokens) {
  HistoryFilter filter;
  filter.run = run.name;
  const auto curves = TRY(SmoothedLosses(history, filter));
  const auto found = curves.find({run.name, run.generation});
  if (found == curves.end()) return std::nullopt;
  const LossCurve& smooth = found->second;
  const auto loss = smooth.At(smooth.has_tokens ? tokens.value_or(0) : static_cast<double>(step));
  if (!loss) return std::nullopt;
  const auto law = FitLossLaw(smooth.x, smooth.loss, {.replicates = 1});
  if (!law) return std::nullopt;
  return LossAt{*loss, law->deviation * law->deviation, static_cast<double>(smooth.x.size() - 3)};
}

}  // namespace

Result<std::optional<ComparedLine>> CompareLosses(HistoryReader& history, const Run& a,
                                                  const Run& b, const MatchedCheckpoints& match) {
  const auto of_a = TRY(FindLoss(history, a, match.step_a, match.tokens_a));
  const auto of_b = TRY(FindLoss(history, b, match.step_b, match.tokens_b));
  if (!of_a || !of_b) return std::nullopt;
  ComparedLine line{.kind = "score", .what = "training.loss"};
  line.a = of_a->loss;
  line.b = of_b->loss;
  NoisyDifference difference{.value = of_b->loss - of_a->loss,
                             .step_variance = of_a->variance + of_b->variance};
  difference.step_dof =
      std::pow(difference.step_variance, 2) /
      (std::pow(of_a->variance, 2) / of_a->dof + std::pow(of_b->variance, 2) / of_b->dof);
  const DifferenceTest test = TestDifference(difference, line.level);
  line.difference = difference.value;
  line.low = test.interval.low;
  line.high = test.interval.high;
  line.p = test.p;
  line.method = "residuals of the power law";
  if (*line.high < 0) line.verdict = "better";
  if (*line.low > 0) line.verdict = "worse";
  if (line.verdict == "undetermined") {
    line.reason = "the losses differ by less than they scatter around their power laws";
  }
  return line;
}

}  // namespace couplingd
