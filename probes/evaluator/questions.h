// What an evaluation asks: the items of its packs, and their token sequences.
#pragma once

#include <cstdint>
#include <vector>

#include "probes/benchmark/pack.h"
#include "probes/scoring/planner.h"
#include "records/score.h"

namespace couplingd {

struct Questions {
  std::vector<Pack> packs;
  std::vector<TaskPlan> plans;           // parallel to packs
  std::vector<ScoringRequest> requests;  // in the order of packs, items and choices

  std::int64_t LargestPack() const;  // in items
};

// At most `limit` items of each pack, the same that KeepItems (packs.h) keeps; and their requests
// alone.
Questions Limited(const Questions& all, std::int64_t limit, std::int64_t seed);
std::vector<ScoringRequest> LimitedRequests(const Questions& all, std::int64_t limit,
                                            std::int64_t seed);

}  // namespace couplingd
