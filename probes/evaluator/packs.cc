#include "probes/evaluator/packs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/hash.h"
#include "probes/benchmark/sources.h"

namespace couplingd {

Result<std::vector<Pack>> OpenAllPacks(std::span<const std::string> paths) {
  std::vector<Pack> packs;
  std::set<std::string> names;
  for (const std::string& path : paths) {
    for (Pack& pack : TRY(OpenPacks(path))) {
      if (!names.insert(pack.name).second) {
        return Fail(ErrorKind::kUsage,
                    fmt::format("two packs are named \"{}\"; the second is {}", pack.name, path),
                    "scores are told apart by the pack's name: rename one in its pack.json");
      }
      packs.push_back(std::move(pack));
    }
  }
  if (packs.empty())
    return Fail(ErrorKind::kUsage, "no pack was named, so there is nothing to ask");
  return packs;
}

namespace {

// Items that are drawn together, by the hash of what names them.
struct Unit {
  std::string hash;
  std::vector<std::size_t> items;
};

// Items of one cluster, or all without one, or all twins.
using Stratum = std::vector<Unit>;

std::map<std::string, Stratum> StrataOf(const Pack& pack, std::int64_t seed) {
  std::map<std::string, std::vector<std::size_t>> clusters;
  for (std::size_t i = 0; i < pack.items.size(); ++i) {
    clusters[pack.items[i].cluster].push_back(i);
  }
  constexpr std::size_t kTwins = 2;
  std::map<std::string, Stratum> strata;
  for (auto& [cluster, items] : clusters) {
    if (!cluster.empty() && items.size() <= kTwins) {
      strata[""].push_back({HashHex(fmt::format("{}:{}", seed, cluster)), std::move(items)});
      continue;
    }
    for (const std::size_t item : items) {
      strata[cluster].push_back({HashHex(fmt::format("{}:{}", seed, pack.items[item].id)), {item}});
    }
  }
  for (auto& [name, units] : strata) std::ranges::sort(units, {}, &Unit::hash);
  return strata;
}

std::int64_t SizeOf(const Stratum& stratum) {
  std::int64_t size = 0;
  for (const Unit& unit : stratum) size += std::ssize(unit.items);
  return size;
}

}  // namespace

std::vector<bool> ChooseItems(const Pack& pack, std::int64_t limit, std::int64_t seed) {
  const std::int64_t all = std::ssize(pack.items);
  std::vector<bool> keep(pack.items.size(), limit >= all);
  if (limit >= all) return keep;
  // Each stratum's share, rounded so that the shares so far sum to theirs: it is exact at the end.
  std::int64_t passed = 0, kept = 0;
  for (const auto& [name, units] : StrataOf(pack, seed)) {
    passed += SizeOf(units);
    const std::int64_t until = static_cast<std::int64_t>(std::llround(
        static_cast<double>(limit) * static_cast<double>(passed) / static_cast<double>(all)));
    for (const Unit& unit : units) {
      if (kept + std::ssize(unit.items) > until) continue;
      for (const std::size_t item : unit.items) keep[item] = true;
      kept += std::ssize(unit.items);
    }
  }
  return keep;
}

void KeepItems(Pack& pack, std::int64_t limit, std::int64_t seed) {
  const std::vector<bool> keep = ChooseItems(pack, limit, seed);
  std::size_t at = 0;
  std::erase_if(pack.items, [&](const PackItem&) { return !keep[at++]; });
}

}  // namespace couplingd
