// A benchmark's score at a size or step not seen yet, as a distribution whose width is what
// forecasts of the same kind have missed by.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coupling/score_methods.h"

namespace couplingd {

struct ScoreForecastOptions {
  // What a past forecast is compared with: the next place (sizes of a family), or the place at the
  // distance nearest to the one asked for (checkpoints of a run).
  bool next_place = true;
  int least_past = 5;  // past forecasts without which there is no interval
};

// A way of forecasting that was open, and what it has missed by.
struct ScoreCandidate {
  std::string method;     // a baseline of score_methods.h, or "ensemble"
  double value = 0;       // what it forecasts, a fraction
  double past_error = 0;  // mean absolute error of the past forecasts
  // Mean of |its error| − |the error of the ensemble| over them, and the standard error of that.
  double over_ensemble = 0, over_ensemble_error = 0;
};

struct ScoreForecast {
  double at = 0;                // position, log10
  std::optional<double> value;  // median, a fraction
  // 2.5, 10, 90 and 97.5 % quantiles; absent where fewer past forecasts are known than they need.
  std::optional<double> low, low80, high80, high;
  std::string method;                                   // of the candidate that is used
  std::vector<std::pair<std::string, double>> weights;  // of the methods, above 1 %
  int n = 0;                                            // known places of the trajectory itself
  int past = 0;                                         // past forecasts the interval rests on
  double past_error = 0;                                // their mean absolute error
  std::vector<ScoreCandidate> candidates;               // the ensemble first
  std::string choice;                                   // which of them is used, and why
  std::string reason;                                   // why there is none
};

// Every method is tried on the places of the other trajectories, each left out in turn with all it
// holds, and on the earlier places of `own`. The ensemble is the mean weighted by the inverse
// fourth power of each method's mean absolute error, between pooling all and taking the best (J. M.
// Bates, C. W. J. Granger, "The combination of forecasts", Oper. Res. Q. 20, 451 (1969)), its own
// past errors being those of weights learnt without the trajectory that is judged. Where a baseline
// has missed by less than the ensemble on the same past forecasts, of this benchmark at this
// distance, the baseline of least error is used instead, by however little: over the 577 forecasts
// of bench/forecast, asking for more certainty changes the mean error by less than its standard
// error, so that the simpler forecast costs nothing.
//
// Intervals are split-conformal (V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a
// Random World", 2005): the quantile of past errors of the same rule, each made without the
// trajectory it is judged on, scaled by the root of the distance. The errors of a baseline that was
// chosen for being small flatter it: each counts as the larger of its own and the ensemble's.
// Intervals hold what the methods miss, item noise, noise between checkpoints and between families,
// so far as the other trajectories resemble this one.
//
// `own` has at least one place, `at` lies beyond its last; `axis` is a column.
ScoreForecast ForecastScore(std::span<const ScoreTrajectory> pool, const ScoreTrajectory& own,
                            double at, Eigen::Index axis, const ScoreForecastOptions& options = {});

}  // namespace couplingd
