#include <fmt/format.h>

#include "base/files.h"
#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/text.h"

namespace couplingd {
namespace {

// valid-labels.lst: one 0 or 1 a line.
Result<std::vector<std::size_t>> ReadLabelFile(const std::string& path) {
  const std::string text = TRY(ReadFile(path));
  std::vector<std::size_t> labels;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = Strip(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
    if (line != "0" && line != "1") {
      return BadItem(fmt::format("{}:{}", path, labels.size() + 1), "a label must be 0 or 1");
    }
    labels.push_back(line == "1");
  }
  return labels;
}

constexpr std::string_view kKeys[] = {"goal", "sol1", "sol2", "query", "choices"};

Result<BenchmarkRow> PiqaRow(const JsonValue& object, const std::string& where,
                             std::optional<std::size_t> label) {
  PackItem item;
  std::string_view gold_key = "label";
  if (FindMember(object, "query")) {
    item.contexts = {TRY(GetString(object, "query", where)) + "\nAnswer:"};
    item.choices = TRY(GetStrings(object, "choices", where));
    gold_key = "gold";
  } else {
    item.id = TRY(FindString(object, "id", where)).value_or("");
    item.contexts = {"Question: " + TRY(GetString(object, "goal", where)) + "\nAnswer:"};
    item.choices = {TRY(GetString(object, "sol1", where)), TRY(GetString(object, "sol2", where))};
  }
  if (!label && !FindMember(object, gold_key)) {
    return BadItem(where, fmt::format("field \"{}\" is missing", gold_key),
                   "name the file of labels too: piqa=valid.jsonl,valid-labels.lst");
  }
  const std::size_t n = item.choices.size();
  const std::size_t gold = label ? *label : TRY(GetIndex(object, gold_key, n, where));
  if (gold >= n) return BadItem(where, fmt::format("the label is {} for {} choices", gold, n));
  item.labels = OneLabel(gold, n);
  return BenchmarkRow{std::move(item), fmt::format("{}{}", RowIdentity(object, kKeys), gold)};
}

Result<Rows> ReadPiqa(Paths paths) {
  std::vector<std::size_t> labels;
  if (paths.size() > 1) labels = TRY(ReadLabelFile(paths[1]));
  const auto label = [&](std::size_t i) {
    return i < labels.size() ? std::optional(labels[i]) : std::nullopt;
  };
  Rows rows;
  TRY(ForEachLine(paths[0], [&](const JsonValue& object, const std::string& where) -> Status {
    rows.push_back(TRY(PiqaRow(object, where, label(rows.size()))));
    return {};
  }));
  if (paths.size() > 1 && labels.size() != rows.size()) {
    return BadItem(paths[1], fmt::format("{} labels for the {} items of {}", labels.size(),
                                         rows.size(), paths[0]));
  }
  return rows;
}

}  // namespace

Result<std::vector<Pack>> BuildPiqa(Paths paths, const ShotRequest& shots) {
  return BuildFromRows(NewPack("piqa", "1", {"acc", "acc_norm"}, paths, shots), paths, ReadPiqa,
                       ShotDraw::kWithoutItself, shots);
}

}  // namespace couplingd
