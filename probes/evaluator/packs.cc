#include "probes/evaluator/packs.h"

#include <fmt/format.h>

#include <algorithm>
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

void KeepItems(Pack& pack, std::int64_t limit, std::int64_t seed) {
  if (limit >= std::ssize(pack.items)) return;
  std::vector<std::pair<std::string, std::size_t>> drawn;
  for (std::size_t i = 0; i < pack.items.size(); ++i) {
    drawn.emplace_back(HashHex(fmt::format("{}:{}", seed, pack.items[i].id)), i);
  }
  std::ranges::sort(drawn);
  std::vector<bool> keep(pack.items.size(), false);
  for (std::int64_t i = 0; i < limit; ++i) keep[drawn[static_cast<std::size_t>(i)].second] = true;
  std::size_t at = 0;
  std::erase_if(pack.items, [&](const PackItem&) { return !keep[at++]; });
}

}  // namespace couplingd
