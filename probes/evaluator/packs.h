// The packs of one evaluation, and which of their items are asked.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "probes/benchmark/pack.h"

namespace couplingd {

// Every pack that the paths name. kUsage where there is none or two share a name.
Result<std::vector<Pack>> OpenAllPacks(std::span<const std::string> paths);

// Which items to keep so that at most `limit` are: of every cluster its share, twins (clusters of
// two) together or not at all; one item less where a twin would be parted. What is taken depends on
// ids, clusters and the seed alone, so packs over the same items (MC1 and MC2) keep the same ones,
// and so does every checkpoint of a run.
std::vector<bool> ChooseItems(const Pack& pack, std::int64_t limit, std::int64_t seed);

// Keeps those, in their order.
void KeepItems(Pack& pack, std::int64_t limit, std::int64_t seed);

}  // namespace couplingd
