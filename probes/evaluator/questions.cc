#include "probes/evaluator/questions.h"

#include <algorithm>

#include "probes/evaluator/packs.h"

namespace couplingd {

std::int64_t Questions::LargestPack() const {
  std::int64_t largest = 0;
  for (const Pack& pack : packs) largest = std::max<std::int64_t>(largest, std::ssize(pack.items));
  return largest;
}

Questions Limited(const Questions& all, std::int64_t limit, std::int64_t seed) {
  Questions some{.packs = all.packs, .plans = all.plans};
  for (std::size_t i = 0; i < some.packs.size(); ++i) {
    const std::vector<bool> chosen = ChooseItems(all.packs[i], limit, seed);
    KeepItems(some.packs[i], limit, seed);
    std::size_t at = 0;
    std::erase_if(some.plans[i].items, [&](const ItemInfo&) { return !chosen[at++]; });
  }
  some.requests = LimitedRequests(all, limit, seed);
  return some;
}

std::vector<ScoringRequest> LimitedRequests(const Questions& all, std::int64_t limit,
                                            std::int64_t seed) {
  std::vector<ScoringRequest> some;
  auto request = all.requests.begin();
  for (const Pack& pack : all.packs) {
    const std::vector<bool> chosen = ChooseItems(pack, limit, seed);
    for (std::size_t item = 0; item < pack.items.size(); ++item) {
      const auto end = request + std::ssize(pack.items[item].choices);
      if (chosen[item]) some.insert(some.end(), request, end);
      request = end;
    }
  }
  return some;
}

}  // namespace couplingd
