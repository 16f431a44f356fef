// On which side of a bound γ lies: evidence that is fit for a decision repeated at every
// checkpoint.
#pragma once

#include <Eigen/Dense>
#include <cstddef>
#include <span>

#include "coupling/score_sample.h"
#include "records/coupling.h"

namespace couplingd {

// Variances of a pair of errors, one of each axis, and their covariance.
struct PairVariance {
  double reasoning = 0;
  double truthfulness = 0;
  double cross = 0;

  // Of the error of truthfulness − bound · reasoning.
  double OfContrast(double bound) const {
    return truthfulness - 2 * bound * cross + bound * bound * reasoning;
  }
};

inline constexpr int kFewestForEvidence = 4;  // places of a window

struct EvidenceInput {
  // The run up to the end of the window, oldest first: log10 of tokens or steps, rising, and the
  // scores there. The window is the places from `first` on, at least kFewestForEvidence. Sizes of a
  // family are places like any others: what differs between their trainings is the noise between
  // checkpoints.
  Eigen::VectorXd positions;
  Eigen::VectorXd reasoning;
  Eigen::VectorXd truthfulness;
  Eigen::Index first = 0;
  PairVariance change;  // sampling error of the changes along the window's TrendContrast
  PairVariance rough;   // mean sampling error of the window's RoughPart
  int units = 0;        // items or clusters that both rest on; 0: taken as known
  double reasoning_step = 0, truthfulness_step = 0;  // finer differences of a score mean nothing
  // Standard deviations of the noise between checkpoints that are expected before anything is seen;
  // 0: none is.
  double reasoning_noise = 0, truthfulness_noise = 0;
};

// The window [first, positions.size()) of a run. `sample` is of the run's places from
// `sample_first` ≤ first on, those of the window among them. Of axes whose scores are fractions,
// one point of noise is expected.
EvidenceInput WindowEvidenceInput(const AxisPair& axes, const ScoreSample& sample,
                                  Eigen::Index sample_first, Eigen::Index first,
                                  const Eigen::VectorXd& positions,
                                  const Eigen::VectorXd& reasoning,
                                  const Eigen::VectorXd& truthfulness);

// Nothing is a ratio: with ΔR and ΔT the changes along the linear trend of the window, γ < b while
// reasoning improves means that ΔR rises and D = ΔT − b ΔR falls. The hypothesis "it is not so" is
// a union (ΔR does not rise, or D does not fall), which the larger of the two p-values refuses
// (intersection-union test: R. L. Berger, Technometrics 24, 295 (1982)): an axis that does not move
// supports no phase. "It is so" is refused by D alone. Where trajectories bend, the trend is a mean
// of the derivative with positive weights: "γ ≥ b at every place of the window" is covered.
//
// The error of a contrast has two parts. Sampling error common to neighbouring checkpoints is taken
// from the items (`change` less its share in `rough`). What is independent between checkpoints,
// flips of items and checkpoint noise alike, is measured: from the mean square of the RoughPart of
// the contrast itself over the window, or over the last 32 places where the window is shorter (then
// the larger of both). Autocorrelated noise is measured on the means of 2, 4, 8, … neighbouring
// places as long as there are 24 means, and the largest variance counts, with its own degrees of
// freedom where it is more than twice that of single places. Short runs measure it poorly: where
// noise is expected, the flips and it count as 10 more degrees of freedom (the moderated t of
// G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 3, 3 (2004)), but never make the measured variance
// smaller. The p-value is that of the sum of a normal and a Student variable (the Behrens-Fisher
// problem with one variance known; the test is conservative), and never below that of the sampling
// error alone with Student's tails for `units`.
//
// Exact for linear trends under normal noise that is independent between checkpoints and at most
// what was expected, or measured over many. Approximate for items (their mean is nearly normal),
// for noise that grows from the past to the window, for much more than the expected noise in the
// first 20 checkpoints or so, and for autocorrelation in windows shorter than 48 places, which hold
// too few means to see it.
PhaseEvidence MeasureEvidence(const EvidenceInput& input, const PhaseBounds& bounds);

// A wider window sees a change of the same rate with less noise, the narrow one sees it sooner. So
// evidence is taken from windows nested in one another, all ending at the newest checkpoint: the
// window γ is estimated from, and those kNestedWidths times as wide so far as the run reaches back.
inline constexpr double kNestedWidths[] = {2, 4};

// Window `window` of `count`, the narrowest being 0, may raise a false alarm with this share of the
// level; the shares add up to 1 (Boole's inequality).
double WindowShare(std::size_t window, std::size_t count);

// That reasoning rises while γ lies below the tax bound, or above the bonus bound: over one and the
// same window, the p-value of the window that shows it most clearly over its share. A wider window
// counts only where the narrowest leans to the same side, so that no tax is claimed of what has
// turned since. `above_tax` and `below_bonus`, by which a phase is left, are those of the narrowest
// window alone. At least one window, narrowest first.
PhaseEvidence CombineEvidence(std::span<const PhaseEvidence> windows);

// P(√known Z + √measured T > |change|), Z standard normal, T Student with `dof` degrees of freedom.
// Each variance ≥ 0, not both 0; dof > 0.
double NoiseTail(double change, double known, double measured, double dof);

}  // namespace couplingd
