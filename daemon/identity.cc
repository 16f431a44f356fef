#include "daemon/identity.h"

#include <algorithm>

namespace couplingd {

Identified Identify(const std::vector<Checkpoint>& known, int generation, std::int64_t step,
                    const std::string& path, const std::string& signature, UnixMillis written_at) {
  const Checkpoint* same_step = nullptr;
  const Checkpoint* highest = nullptr;
  for (const Checkpoint& checkpoint : known) {
    if (checkpoint.step == step && checkpoint.signature == signature) {
      return {Sighting::kKnown, checkpoint};
    }
    if (checkpoint.generation != generation) continue;
    if (checkpoint.step == step && (!same_step || same_step->id < checkpoint.id))
      same_step = &checkpoint;
    if (checkpoint.signature.empty()) continue;  // seen while it was written, never read
    if (!highest || highest->step < checkpoint.step) highest = &checkpoint;
  }
  const bool is_waiting = same_step && same_step->signature.empty() && same_step->path == path;
  const std::optional<Checkpoint> waiting = is_waiting ? std::optional(*same_step) : std::nullopt;
  if (highest && step < highest->step && written_at > highest->written_at) {
    return {Sighting::kRewound, waiting};
  }
  if (same_step && !is_waiting) return {Sighting::kRewritten, std::nullopt};
  return {Sighting::kNew, waiting};
}

}  // namespace couplingd
