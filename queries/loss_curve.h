// The recorded losses of a run as a curve.
#pragma once

#include <Eigen/Dense>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "history/store.h"
#include "queries/item_reader.h"

namespace couplingd {

struct LossCurve {
  std::string run, family;
  int generation = 1;
  std::optional<double> parameters;
  bool has_tokens = false;  // places are tokens, else steps
  Eigen::VectorXd x;        // rising, above 0
  Eigen::VectorXd loss;

  // Linear in log x between the two points around it; absent beyond the ends, but for the last 3 %:
  // a smoothed curve ends at the middle of its last group.
  std::optional<double> At(double place) const;
  // The last two decades, averaged into at most `most` groups of equal width in log x.
  LossCurve Smoothed(int most) const;
};

// By run and generation; the filter's ranges of steps and tokens are not looked at.
Result<std::map<RunGeneration, LossCurve>> CollectLosses(HistoryReader& history,
                                                         const HistoryFilter& filter);

// The same, smoothed: what the loss was around a checkpoint.
Result<std::map<RunGeneration, LossCurve>> SmoothedLosses(HistoryReader& history,
                                                          const HistoryFilter& filter);

}  // namespace couplingd
