// Where the published predictions about the frontier stand.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "coupling/frontier/frontier.h"

namespace couplingd {

enum class PredictionState {
  kPasses,   // the data at hand is on the passing side
  kFails,    // it is past the failing line
  kBetween,  // it is on neither side
  kNoData,   // the scores it is about are not at hand
};
std::string_view ToString(PredictionState state);  // "passes so far", …, "no data"

struct PredictionStanding {
  FrontierPrediction prediction;
  PredictionState state = PredictionState::kNoData;
  std::string evidence;  // the numbers, one sentence
};

// The shipped predictions against the shipped models, those after the cutoff among them. They are
// all about releases after May 2026, so that none is decided by what is at hand.
Result<std::vector<PredictionStanding>> JudgePredictions(const FrontierData& data,
                                                         const FrontierReport& report);

}  // namespace couplingd
