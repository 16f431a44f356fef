// γ and everything known about it over one window of checkpoints or sizes.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "coupling/score_sample.h"
#include "records/coupling.h"

namespace couplingd {

// The change of one axis over a window: along its linear trend over the positions, with the
// standard error that sampling and checkpoint noise give it.
struct AxisMovement {
  double change = 0;
  double standard_error = 0;
  double critical = 0;  // |change| / standard_error above it is significant at `level`
  bool is_significant = false;
  bool is_near_chance = false;  // every score of the window is within noise of guessing
  bool is_at_ceiling = false;   // every score of the window is within noise of 1
};

struct CouplingDiagnostics {
  AxisMovement reasoning;
  AxisMovement truthfulness;
  double intercept = 0;
  double chi_squared = 0;  // of the line against sampling error alone
  int dof = 0;
  // Share of the residual variance that sampling error does not explain.
  double checkpoint_noise = 0;
  // Truthfulness bends over reasoning: γ is the mean slope of the window.
  bool is_curved = false;
  // The ordinary slope, Σ ΔR ΔT / Σ ΔR²; attenuated where reasoning is noisy. For comparison only.
  double simple_slope = 0;
  double simple_low = 0, simple_high = 0;
  std::vector<double> replicates;  // of γ; ±infinity allowed
};

struct WindowEstimate {
  std::optional<double> gamma, low, high;
  Phase phase = Phase::kUndetermined;
  std::optional<double> p_tax, p_bonus;
  std::string reason;
  CouplingDiagnostics diagnostics;
};

struct WindowInput {
  const ScoreSample& sample;
  Eigen::VectorXd positions;  // log10 of tokens, steps or parameters; rising
  std::optional<double> reasoning_chance, truthfulness_chance;
  std::string place_noun = "checkpoint";  // for reasons: "checkpoint" or "size"
};

// γ is the slope of the York line through the K ≥ 2 points (reasoning, truthfulness), weighted by
// the part of the sampling error that moves points against one another.
//
// Replicates: the points on the line, plus the deviations of one draw of the items for all places,
// plus residuals of the line drawn in circular blocks of about K^(1/3) neighbouring places with a
// random sign (wild block bootstrap). Residuals count only with the share of their variance that
// sampling error does not explain, and are widened for the degrees of freedom they rest on (each
// replicate divides by a draw of sqrt(χ²/dof), so that intervals from few points get Student's
// tails). Where the residuals are smooth along the positions (K ≥ 6, their variance more than 4
// times that of their RoughPart), the trajectory is curved rather than
// noisy: the points stay where they are and only the rough part is drawn. With K = 2 there are no
// residuals and the interval holds sampling error only.
//
// The interval is taken over angles, in coordinates where the error is isotropic: near-vertical
// lines need no special case, and where the set of angles holds the vertical, as an unbounded
// Fieller set does, the ends are ±infinity. A vertical line has no γ but has such an interval; a
// reasoning score that never changes gives no estimate at all.
//
// The phase is undetermined, with a reason and what would settle it, unless reasoning moved
// significantly over the window, neither axis sits at chance or at its ceiling throughout, and the
// interval lies in one phase.
WindowEstimate EstimateWindow(const WindowInput& input, double level, const PhaseBounds& bounds,
                              std::uint64_t seed);

}  // namespace couplingd
