#include "probes/benchmark/builders.h"

#include <fmt/format.h>

#include "base/files.h"
#include "base/numbers.h"
#include "probes/benchmark/json_lines.h"

namespace couplingd {

Pack NewPack(std::string name, std::string version, std::vector<std::string> metrics, Paths paths,
             const ShotRequest& shots) {
  Pack pack = {
      .name = std::move(name), .version = std::move(version), .metrics = std::move(metrics)};
  pack.delimiter = " ";
  pack.fewshot.preset = shots.preset;
  for (const std::string& path : paths) pack.sources.push_back(BaseName(path));
  for (const std::string& path : shots.from) pack.sources.push_back("shots: " + BaseName(path));
  return pack;
}

Result<std::vector<Pack>> BuildFromRows(Pack pack, Paths paths, Result<Rows> (*read)(Paths paths),
                                        ShotDraw draw, const ShotRequest& shots) {
  const Rows rows = TRY(read(paths));
  const Rows pool = shots.n > 0 ? TRY(read(shots.from)) : Rows();
  for (const BenchmarkRow& row : rows) pack.items.push_back(row.item);
  FillItemIds(pack.items);
  TRY(AddShots(rows, pool, draw, shots, pack));
  return std::vector{std::move(pack)};
}

Result<Rows> ReadLineRows(const std::string& path,
                          Result<BenchmarkRow> (*read)(const JsonValue& object,
                                                       const std::string& where)) {
  Rows rows;
  TRY(ForEachObject(path, [&](const JsonValue& object, const std::string& where) -> Status {
    rows.push_back(TRY(read(object, where)));
    return {};
  }));
  return rows;
}

std::vector<bool> OneLabel(std::size_t gold, std::size_t choices) {
  std::vector<bool> labels(choices, false);
  labels[gold] = true;
  return labels;
}

Result<std::size_t> GetIndex(const JsonValue& object, std::string_view key, std::size_t choices,
                             const std::string& where) {
  const JsonValue* value = FindMember(object, key);
  if (!value) return BadItem(where, fmt::format("field \"{}\" is missing", key));
  std::int64_t index = -1;
  if (value->IsInt64()) index = value->GetInt64();
  if (value->IsString())
    index = ParseNumber<std::int64_t>({value->GetString(), value->GetStringLength()}).value_or(-1);
  if (index < 0 || index >= static_cast<std::int64_t>(choices)) {
    return BadItem(where, fmt::format("field \"{}\" must be a whole number from 0 to {}", key,
                                      static_cast<std::int64_t>(choices) - 1));
  }
  return static_cast<std::size_t>(index);
}

}  // namespace couplingd
