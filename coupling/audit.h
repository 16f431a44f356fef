// Would the coupling that is seen also be seen without one, and does it rest on a single place?
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "coupling/local_coupling.h"

namespace couplingd {

// What relabelling gives. p counts the observed labelling, so that it is never 0.
struct PermutationNull {
  double observed = 0;                 // Pearson r
  double p = 1;                        // share of the labellings with |r| at least as large
  double null_low = 0, null_high = 0;  // central 95 % of r over the labellings
  int labellings = 0;
  bool is_exact = false;  // all of them; else drawn at random
};

// Over sizes: r of truthfulness with reasoning, truthfulness relabelled across the sizes. Exact for
// up to 7 places. Needs 3 places and variance in both.
Result<PermutationNull> RelabelTruthfulness(const Eigen::VectorXd& reasoning,
                                            const Eigen::VectorXd& truthfulness, int draws,
                                            std::uint64_t seed);

// Over checkpoints, whose scores drift together whatever is true of them: r of the changes between
// neighbouring checkpoints, the changes of truthfulness relabelled. A shared drift alone gives no
// small p here. Needs 4 checkpoints.
Result<PermutationNull> RelabelChanges(const Eigen::VectorXd& reasoning,
                                       const Eigen::VectorXd& truthfulness, int draws,
                                       std::uint64_t seed);

// γ with one place left out.
struct WithoutPlace {
  double at = 0;  // the step, or the parameters
  std::optional<double> gamma;
  Phase phase = Phase::kUndetermined;
};

// Of the line over all sizes; needs one more size than `least_sizes`.
Result<std::vector<WithoutPlace>> DropEachSize(const AxisSeries& series,
                                               const CouplingOptions& options);
// Of the newest window of checkpoints, which is not extended for the one that is missing.
Result<std::vector<WithoutPlace>> DropEachCheckpoint(const AxisSeries& series,
                                                     const CouplingOptions& options);

}  // namespace couplingd
