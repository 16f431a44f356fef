// What rules about scores rest on, measured from stored scores and items.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/config.h"
#include "history/store.h"
#include "records/score_evidence.h"

namespace couplingd {

// Of the runs that `filter` selects (family, until), each in its newest generation with scores up
// to then, for the rules of `config`. Checkpoint noise is that of the up to 32 checkpoints before
// the one judged (coupling/step_noise.h); a score is compared with
// earlier ones once there are kFewestForDrop of them. What cannot be measured is left out. Reads
// score files: not for a thread that must not stand still.
Result<ScoreEvidence> MeasureScoreEvidence(HistoryReader& history, const Config& config,
                                           const HistoryFilter& filter);

// The same again and again, for other times of one history: items and comparisons are kept. History
// and config outlive it.
class ScoreMeasurer {
 public:
  ScoreMeasurer(HistoryReader& history, const Config& config);
  ~ScoreMeasurer();
  Result<ScoreEvidence> Measure(const HistoryFilter& filter);

 private:
  class Implementation;
  const std::unique_ptr<Implementation> implementation_;
};

// The same of several families side by side.
void AddScoreEvidence(ScoreEvidence& all, const ScoreEvidence& more);

}  // namespace couplingd
