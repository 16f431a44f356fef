// What is watched: runs and their checkpoints.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace couplingd {

// One training job: a recipe at one size. `family` groups the sizes of one recipe.
struct Run {
  std::int64_t id = 0;  // 0: not stored yet
  std::string name;     // unique
  std::string family;
  std::string path;                  // watched directory; empty for imported runs
  std::optional<double> parameters;  // of the model, counted from its weights or configured
  std::optional<int> d_model;
  std::optional<double> tokens_per_step;
  // Rises by one whenever training goes back to an earlier step. Alerts follow the newest.
  int generation = 1;
};

// What became of a checkpoint. The text forms are stored and shown: never change them.
enum class CheckpointState {
  kWaiting,  // seen; not ready yet, `reason` says why
  kQueued,   // ready; waits for an executor
  kEvaluating,
  kEvaluated,
  kFailed,    // the evaluation failed `attempts` times; `reason` says how
  kVanished,  // removed or rewritten while it was read
  kRefused,   // recognised and outside what can be evaluated
  kSkipped,   // left out by the schedule or by hand, `reason` says which
};

std::string_view ToString(CheckpointState state);
std::optional<CheckpointState> ParseCheckpointState(std::string_view text);

struct Checkpoint {
  std::int64_t id = 0;
  std::int64_t run_id = 0;
  int generation = 1;
  std::int64_t step = 0;
  std::optional<double> tokens;      // seen in training up to this step
  std::optional<double> parameters;  // where known from its own weights
  std::string path;                  // directory or file; a URI-like name for imported ones
  std::string signature;             // path, inodes, sizes, mtimes and header hashes of the weights
  std::string weights_hash;          // XXH3-128 over all tensor bytes, once it has been read
  CheckpointState state = CheckpointState::kWaiting;
  std::string reason;  // one sentence, for every state but the good ones
  int attempts = 0;
  UnixMillis written_at = 0;  // newest modification time of its files, by the file system's clock
  UnixMillis discovered_at = 0;
  UnixMillis updated_at = 0;
};

}  // namespace couplingd
