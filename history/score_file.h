// The two binary files that keep raw scores, so that any metric can be computed again without the
// model. Little-endian, versioned, closed by an XXH3-128 over everything before it; both are
// written by temporary name, fsync and rename.
//
// Plan file `<plan hash>.plan`: what the packs and the tokenizer decide (items, labels, lengths),
// stored once. Score file `<scores hash>.scores`: per choice the summed log-likelihood (double) and
// the greedy flag.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "records/score.h"

namespace couplingd {

// Writes into `directory` and returns the hash that names the file. The same content gives the same
// hash.
Result<std::string> WritePlanFile(const std::string& directory, const TaskPlan& plan);
Result<std::string> WriteScoreFile(const std::string& directory, const TaskScores& scores,
                                   const std::string& plan_hash);

// A damaged file is kInvalidData with its cause; counts are checked before memory is taken.
Result<TaskPlan> ReadPlanFile(const std::string& directory, const std::string& plan_hash);
Result<TaskScores> ReadScoreFile(const std::string& directory, const std::string& scores_hash);

// What an evaluation under way has scored so far stands beside them: `.<key>.unfinished`, whose
// first line names the checkpoint (probes/scoring/score_log.h).
std::string UnfinishedLogPath(const std::string& directory, const std::string& key);
std::string UnfinishedLogTitle(const std::string& checkpoint);

// Removes the logs that were last written before `oldest`, and those whose checkpoint is gone: what
// nobody will go on with. Returns how many.
std::size_t RemoveUnfinishedLogs(const std::string& directory, UnixMillis oldest,
                                 const std::function<bool(const std::string& checkpoint)>& is_gone);

}  // namespace couplingd
