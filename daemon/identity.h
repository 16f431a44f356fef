// Which checkpoint a directory is, seen against those already known of its run. Pure.
//
// The path does not identify a checkpoint: trainers resume from an earlier step and write the same
// names again.
#pragma once

#include <optional>
#include <vector>

#include "records/run.h"

namespace couplingd {

enum class Sighting {
  kKnown,      // the same step with the same signature: nothing to do
  kNew,        // a step not seen in this generation
  kRewritten,  // the newest step again with other content: another evaluation in the same
               // generation
  kRewound,    // an earlier step, written after a later one: training went back, a new generation
               // begins
};

struct Identified {
  Sighting sighting = Sighting::kNew;
  // kKnown: the checkpoint that it is. kNew: one that waited at this path and step, to be
  // continued.
  std::optional<Checkpoint> existing;
};

// `known` holds the checkpoints of all the run's generations, `generation` is the live one. What an
// earlier generation left behind stays known. Times are the file system's own and are compared with
// each other only.
Identified Identify(const std::vector<Checkpoint>& known, int generation, std::int64_t step,
                    const std::string& path, const std::string& signature, UnixMillis written_at);

}  // namespace couplingd
