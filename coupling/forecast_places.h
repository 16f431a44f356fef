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
  Horizon horizon;
};

Result<ForecastPlaces> MakePlaces(const AxisSeries& series, CouplingOver over, const char* method,
                                  const ForecastOptions& options);

}  // namespace couplingd
