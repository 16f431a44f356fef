#include "records/item_budget.h"

#include <fmt/format.h>

#include "base/numbers.h"
#include "base/units.h"

namespace couplingd {
namespace {

constexpr std::string_view kItems = "items";
constexpr std::chrono::seconds kShortest{1};

}  // namespace

Result<ItemBudget> ParseItemBudget(std::string_view text) {
  const auto wrong = [&] {
    return Fail(ErrorKind::kInvalidData, fmt::format("\"{}\" is not a budget", text),
                "write a number of items such as 500items, or a time such as 60s");
  };
  if (text.ends_with(kItems)) {
    const auto items = ParseNumber<std::int64_t>(text.substr(0, text.size() - kItems.size()));
    if (!items || *items < 1) return wrong();
    return ItemBudget{.items = items};
  }
  const auto time = ParseDuration(text);
  if (!time || *time < kShortest) return wrong();
  return ItemBudget{.time = *time};
}

std::string FormatItemBudget(const ItemBudget& budget) {
  return budget.items ? fmt::format("{}{}", *budget.items, kItems)
                      : FormatDuration(budget.time.value_or(std::chrono::milliseconds(0)));
}

}  // namespace couplingd
