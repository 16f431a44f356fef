// The places a forecast is made from: sizes, or groups of checkpoints.
#pragma once

#include <Eigen/Dense>

#include "coupling/critical_scale.h"
#include "coupling/crossing.h"
#include "coupling/score_sample.h"

namespace couplingd {

struct ForecastPlaces {
  Forecast forecast;   // labels and horizon; where `forecast.reason` is set, there is no forecast
  ScoreSample sample;  // over the places
  Eigen::VectorXd positions;  // log10 parameters or tokens, rising
  double last = 0;            // log10 of the last observation; positions may be means of groups
  Horizon horizon;
};

// Over steps the flat start of training, where reasoning is not yet told from its first score, is
// left out.
Result<ForecastPlaces> MakePlaces(const AxisSeries& series, CouplingOver over, const char* method,
                                  const ForecastOptions& options);

}  // namespace couplingd
