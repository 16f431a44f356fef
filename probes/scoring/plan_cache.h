// Plans on disk: what the packs, the tokenizer and the settings decide is decided once, and not for
// every checkpoint again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "probes/scoring/planner.h"

namespace couplingd {

struct KeptPlan {
  ScoringPlan plan;
  std::vector<std::int64_t> truncated;  // of each pack, sequences that were cut to fit the model
};

// Files `.<key>.planned` in a directory. A file is no authority: one that is damaged, of another
// key or of another model counts as absent, and what is wrong in it never goes further
// (AssemblePlan). Several processes may use one directory.
class PlanCache {
 public:
  // `key`: hexadecimal digits of a hash over everything that decides the plan.
  PlanCache(std::string directory, std::string key)
      : directory_(std::move(directory)), key_(std::move(key)) {}

  // A plan for so many packs and requests.
  std::optional<KeptPlan> Read(const PlanBounds& bounds, std::size_t packs,
                               std::size_t requests) const;
  // Removes the oldest beyond kMostFiles and kMostBytes. A failure is one of saving time alone and
  // is not told.
  void Write(const ScoringPlan& plan, const std::vector<std::int64_t>& truncated) const;

  static constexpr std::size_t kMostFiles = 16;
  static constexpr std::uint64_t kMostBytes = std::uint64_t{512} << 20;

 private:
  std::string Path() const;

  std::string directory_, key_;
};

}  // namespace couplingd
