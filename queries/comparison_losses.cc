#include <algorithm>
#include <cmath>

#include "coupling/comparison.h"
#include "coupling/loss_law.h"
#include "queries/comparison_lines.h"
#include "queries/loss_curve.h"

namespace couplingd {
namespace {

constexpr int kGroups = 200;

// The smoothed loss at a place, with how far a group of the log lies off the run's power law.
struct LossAt {
  double loss = 0;
  double variance = 0;
  double dof = 0;
};

Result<std::optional<LossAt>> FindLoss(HistoryReader& history, const Run& run, bool by_tokens,
                                       double place) {
  HistoryFilter filter;
  filter.run = run.name;
  const auto curves = TRY(CollectLosses(history, filter));
  const auto found = curves.find({run.name, run.generation});
  if (found == curves.end() || found->second.has_tokens != by_tokens) return std::nullopt;
  const LossCurve smooth = found->second.Smoothed(kGroups);
  if (smooth.x.size() == 0) return std::nullopt;
  // The last group's middle lies a little before the log's end.
  const auto loss = smooth.At(std::min(place, smooth.x[smooth.x.size() - 1]));
  const bool is_reached = place <= 1.02 * found->second.x[found->second.x.size() - 1];
  if (!loss || !is_reached) return std::nullopt;
  const auto law = FitLossLaw(smooth.x, smooth.loss, {.replicates = 1});
  if (!law) return std::nullopt;
  return LossAt{*loss, law->deviation * law->deviation, static_cast<double>(smooth.x.size() - 3)};
}

}  // namespace

Result<std::optional<ComparedLine>> CompareLosses(HistoryReader& history, const Run& a,
                                                  const Run& b, const MatchedCheckpoints& match) {
  const bool by_tokens = match.by == "tokens";
  const auto place = [&](const std::optional<double>& tokens, std::int64_t step) {
    return by_tokens ? *tokens : static_cast<double>(step);
  };
  const auto of_a = TRY(FindLoss(history, a, by_tokens, place(match.tokens_a, match.step_a)));
  const auto of_b = TRY(FindLoss(history, b, by_tokens, place(match.tokens_b, match.step_b)));
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
