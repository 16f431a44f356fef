// Published numbers, computed again from the data that is part of the program.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "coupling/frontier/frontier_table.h"
#include "coupling/levers/lever_facts.h"
#include "coupling/panel/base_panel.h"
#include "records/reproduction.h"

namespace couplingd {

// Everything that is published and shipped.
struct PublishedData {
  BasePanel base;
  FrontierData frontier;
  LeverFacts levers;
};
Result<PublishedData> ShippedData();

struct ReproduceOptions {
  std::vector<int> ids;    // empty: all
  int replicates = 10000;  // of bootstraps and permutations, as published; at least 1000
  std::uint64_t seed = 1;
};

// One claim: all its rows carry `id`.
struct Reproduction {
  int id = 0;
  Result<std::vector<ReproducedRow>> (*compute)(const PublishedData& data,
                                                const ReproduceOptions& options) = nullptr;
};

// The claims about the base panel (base_rows.cc), in order of id.
std::span<const Reproduction> BaseReproductions();
// The claims about levers, internals and the frontier (lever_rows.cc), in order of id.
std::span<const Reproduction> LeverReproductions();

// The rows asked for, by id, parts in the order of the claim. An id that no claim has is kUsage.
// Pure; the same data, options and seed give the same bits.
Result<std::vector<ReproducedRow>> Reproduce(const PublishedData& data,
                                             const ReproduceOptions& options);

}  // namespace couplingd
