// What the noise of every score allows to conclude: the noise of its items, of its checkpoints, and
// how far the score moved over it; beside it the spread between runs over the noise, the
// signal-to-noise ratio of D. Heineman et al., "Signal and Noise: A Framework for Reducing
// Uncertainty in Language Model Evaluation", arXiv:2508.13144.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "coupling/step_noise.h"
#include "queries/history_answers.h"
#include "queries/item_reader.h"

namespace couplingd {

// One metric over the last checkpoints of a run generation, in order of step. Item noise is known
// from the items where every checkpoint has them, else from standard errors, which cannot tell that
// checkpoints share their items.
struct MetricTrajectory {
  std::vector<ScoreRow> rows;
  NoisyTrajectory trajectory;
  std::vector<std::string> clusters;  // of the items
  int items = 0;                      // 0: only aggregates are known
  bool has_tokens = false;            // positions are of tokens, else of steps
};

// Of the rows of one metric, one series and one generation, in any order; step 0 and all but the
// last `most` checkpoints are left out. Metrics of `rows` are those of the score files' items.
MetricTrajectory TrajectoryOf(ItemReader& items, std::vector<ScoreRow> rows, std::size_t most);

Result<std::string> AnswerNoise(const QueryContext& context);

}  // namespace couplingd
