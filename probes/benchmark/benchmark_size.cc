#include "probes/benchmark/benchmark_size.h"

#include <fmt/format.h>

#include <algorithm>

namespace couplingd {
namespace {

struct SizeRow {
  std::string_view task;
  std::size_t items;
};

// Of the split that lm-eval evaluates; those of the Pythia results follow from their standard
// errors as well.
constexpr SizeRow kSizes[] = {
    {"arc_challenge", 1172},
    {"arc_easy", 2376},
    {"crows_pairs_english", 1677},
    {"crows_pairs_french", 1677},
    {"gpqa_diamond_zeroshot", 198},
    {"hellaswag", 10042},
    {"lambada_openai", 5153},
    {"logiqa", 651},
    {"mmlu", 14042},
    {"piqa", 1838},
    {"sciq", 1000},
    {"truthfulqa_mc1", 817},
    {"truthfulqa_mc2", 817},
    {"winogrande", 1267},
    {"wsc", 104},
};

}  // namespace

std::optional<std::size_t> BenchmarkSize(std::string_view task) {
  const auto row = std::ranges::find(kSizes, task, &SizeRow::task);
  return row == std::end(kSizes) ? std::nullopt : std::optional(row->items);
}

std::string SizeWarning(const Pack& pack) {
  const std::optional<std::size_t> size = BenchmarkSize(pack.name);
  if (!size || *size == pack.items.size()) return "";
  return fmt::format(
      "not the whole benchmark: {} items, {} has {}; its scores are not comparable with published "
      "ones",
      pack.items.size(), pack.name, *size);
}

}  // namespace couplingd
