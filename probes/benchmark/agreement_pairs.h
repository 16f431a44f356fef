// Which items of two packs are the same. Internal to agreement.cc.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "probes/benchmark/pack.h"

namespace couplingd {

// What is scored of a choice after white space at the end of its context has moved.
struct RequestText {
  std::string context, continuation;
  bool operator==(const RequestText&) const = default;
};
RequestText RequestTextOf(const Pack& pack, const PackItem& item, std::size_t choice);

std::string WithoutSpace(std::string_view text);

// Indices (ours, theirs), rising in ours.
std::vector<std::pair<std::size_t, std::size_t>> PairItems(const Pack& ours, const Pack& theirs);

}  // namespace couplingd
