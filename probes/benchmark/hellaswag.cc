#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

// re.sub(r"\[.*?\]", "", text): from a bracket to the next closing one on the same line.
std::string DropBracketed(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t open = std::min(text.find('[', i), text.size());
    const std::size_t end = std::min(text.find_first_of("]\n", open), text.size());
    const bool is_closed = end < text.size() && text[end] == ']';
    result += text.substr(i, (is_closed ? open : end) - i);
    if (end < text.size() && !is_closed) result += text[end];
    i = end + 1;
  }
  return result;
}

// WikiHow leaves headings in brackets. Blanks at either end may survive, as they do in lm-eval.
std::string Clean(std::string_view text) {
  return ReplaceAll(DropBracketed(ReplaceAll(Strip(text), " [title]", ". ")), "  ", " ");
}

constexpr std::string_view kKeys[] = {"ind",     "activity_label", "ctx_a", "ctx_b",      "ctx",
                                      "endings", "source_id",      "split", "split_type", "label"};

Result<BenchmarkRow> HellaSwagRow(const JsonValue& object, const std::string& where) {
  const std::string activity = TRY(GetString(object, "activity_label", where));
  const std::string before = TRY(GetString(object, "ctx_a", where));
  const std::string after = TRY(GetString(object, "ctx_b", where));
  PackItem item = {.cluster = activity};
  item.contexts = {Clean(fmt::format("{}: {} {}", activity, before, Capitalize(after)))};
  for (const std::string& ending : TRY(GetStrings(object, "endings", where))) {
    item.choices.push_back(Clean(ending));
  }
  const std::size_t gold = TRY(GetIndex(object, "label", item.choices.size(), where));
  item.labels = OneLabel(gold, item.choices.size());
  return BenchmarkRow{std::move(item), RowIdentity(object, kKeys)};
}

Result<Rows> ReadHellaSwag(Paths paths) { return ReadLineRows(paths[0], HellaSwagRow); }

}  // namespace

Result<std::vector<Pack>> BuildHellaSwag(Paths paths, const ShotRequest& shots) {
  return BuildFromRows(NewPack("hellaswag", "1", {"acc_norm", "acc"}, paths, shots), paths,
                       ReadHellaSwag, ShotDraw::kWithoutItself, shots);
}

}  // namespace couplingd
