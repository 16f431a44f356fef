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

struct ScoreForecast {
  double at = 0;                // position, log10
  std::optional<double> value;  // median, a fraction
  // 2.5, 10, 90 and 97.5 % quantiles; absent where fewer past forecasts are known than they need.
  std::optional<double> low, low80, high80, high;
  std::string method;                                   // of score_methods.h, or "ensemble"
  std::vector<std::pair<std::string, double>> weights;  // of the methods, above 1 %
  int n = 0;                                            // known places of the trajectory itself
  int past = 0;                                         // past forecasts the interval rests on
  double past_error = 0;                                // their mean absolute error
  std::string reason;                                   // why there is none
};

// Every method is tried on the places of the other trajectories, each left out in turn with all it
// holds, and on the earlier places of `own`. The forecast is the mean weighted by the inverse
// fourth power of each method's mean absolute error, between pooling all and taking the best (J. M.
// Bates, C. W. J. Granger, "The combination of forecasts", Oper. Res. Q. 20, 451 (1969)), unless
// one method beats that mean by 1.5 standard errors of the paired difference: then that one.
// Intervals are split-conformal (V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a
// Random World", 2005): the quantile of past errors of the same rule, each made without the
// trajectory it is judged on, scaled by the root of the distance. They hold what the methods miss,
// item noise, noise between checkpoints and between families, so far as the other trajectories
// resemble this one.
//
// `own` has at least one place, `at` lies beyond its last; `axis` is a column.
ScoreForecast ForecastScore(std::span<const ScoreTrajectory> pool, const ScoreTrajectory& own,
                            double at, Eigen::Index axis, const ScoreForecastOptions& options = {});

}  // namespace couplingd
