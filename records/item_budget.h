// How much of its packs an evaluation asks.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace couplingd {

// Exactly one of the two.
struct ItemBudget {
  std::optional<std::int64_t> items;              // of each pack
  std::optional<std::chrono::milliseconds> time;  // as many items as one evaluation can ask in it
  bool operator==(const ItemBudget&) const = default;
};

// "500items", "60s", "10m" and other durations of a second and more.
Result<ItemBudget> ParseItemBudget(std::string_view text);
std::string FormatItemBudget(const ItemBudget& budget);  // as ParseItemBudget reads it

}  // namespace couplingd
