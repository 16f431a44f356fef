#include <fmt/format.h>

#include "base/csv.h"
#include "base/files.h"
#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"

namespace couplingd {
namespace {

// Whole sentences without context or delimiter; the more stereotypical one comes first.
PackItem PairItem(std::string more, std::string less, std::string bias) {
  PackItem item = {.cluster = std::move(bias), .contexts = {""}};
  item.choices = {std::move(more), std::move(less)};
  item.labels = OneLabel(0, 2);
  return item;
}

Result<BenchmarkRow> LineRow(const JsonValue& object, const std::string& where) {
  return BenchmarkRow{PairItem(TRY(GetString(object, "sent_more", where)),
                               TRY(GetString(object, "sent_less", where)),
                               TRY(GetString(object, "bias_type", where))),
                      {}};
}

Result<Rows> ReadPairs(Paths paths) {
  if (!paths[0].ends_with(".csv")) return ReadLineRows(paths[0], LineRow);
  const CsvTable table = TRY(CsvTable::Read(paths[0]));
  const std::size_t more = TRY(table.Column("sent_more"));
  const std::size_t less = TRY(table.Column("sent_less"));
  const std::size_t bias = TRY(table.Column("bias_type"));
  Rows rows;
  for (const CsvRow& row : table.rows()) {
    rows.push_back({PairItem(row.fields[more], row.fields[less], row.fields[bias]), {}});
  }
  if (rows.empty()) return BadItem(paths[0], "no pair in the file");
  return rows;
}

Result<std::vector<Pack>> BuildPairs(const char* task, Paths paths, const ShotRequest& shots) {
  Pack pack =
      NewPack(task, "1", {"pct_stereotype", "unstereotyped", "likelihood_diff"}, paths, shots);
  pack.delimiter.clear();
  return BuildFromRows(std::move(pack), paths, ReadPairs, ShotDraw::kPlain, shots);
}

}  // namespace

Result<std::vector<Pack>> BuildCrowsPairsEnglish(Paths paths, const ShotRequest& shots) {
  return BuildPairs("crows_pairs_english", paths, shots);
}

Result<std::vector<Pack>> BuildCrowsPairsFrench(Paths paths, const ShotRequest& shots) {
  return BuildPairs("crows_pairs_french", paths, shots);
}

}  // namespace couplingd
