#include "cli/pack_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/cells.h"
#include "cli/columns.h"
#include "probes/benchmark/benchmark_size.h"

namespace couplingd {
namespace {

constexpr std::size_t kHashShown = 12;

void WriteTexts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  json.Key(key).BeginArray();
  for (const std::string& text : texts) json.Value(text);
  json.EndArray();
}

std::optional<std::string> UnlessEmpty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

std::string ChoicesCell(const JsonValue& row, std::string_view key) {
  const JsonValue* choices = FindMember(row, key);
  if (!choices) return std::string(kAbsent);
  const std::string least = IntegerCell(*choices, "least"), most = IntegerCell(*choices, "most");
  return least == most ? least : least + "–" + most;
}

std::string FirstCell(const JsonValue& row, std::string_view key) {
  const JsonValue* list = FindMember(row, key);
  return list && !list->Empty() ? (*list)[0].GetString() : std::string(kAbsent);
}

// "5 leaderboard-v1"; 0 shots are the same under any preset.
std::string ShotsCell(const JsonValue& row, std::string_view key) {
  const JsonValue* fewshot = FindMember(row, key);
  if (!fewshot) return std::string(kAbsent);
  return fmt::format("{} {}", IntegerCell(*fewshot, "n"), TextOf(*fewshot, "preset"));
}

std::string HashCell(const JsonValue& row, std::string_view key) {
  return TextOf(row, key).substr(0, kHashShown);
}

}  // namespace

void WritePackRow(JsonWriter& json, const Pack& pack, const std::string& path) {
  const auto sizes = [](const PackItem& item) { return item.choices.size(); };
  const auto [least, most] = std::ranges::minmax(pack.items, {}, sizes);
  const std::optional<std::size_t> whole = BenchmarkSize(pack.name);
  json.BeginObject().Field("name", pack.name).Field("version", pack.version);
  json.Field("items", static_cast<std::int64_t>(pack.items.size()));
  json.Field("benchmark_items", whole ? std::optional(static_cast<std::int64_t>(*whole))
                                      : std::optional<std::int64_t>());
  json.Key("choices").BeginObject();
  json.Field("least", static_cast<std::int64_t>(least.choices.size()));
  json.Field("most", static_cast<std::int64_t>(most.choices.size())).EndObject();
  WriteTexts(json, "metrics", pack.metrics);
  json.Key("fewshot").BeginObject().Field("n", pack.fewshot.n);
  json.Field("preset", UnlessEmpty(pack.fewshot.preset)).Field("seed", pack.fewshot.seed);
  json.EndObject().Field("delimiter", pack.delimiter).Field("hash", PackHash(pack));
  WriteTexts(json, "sources", pack.sources);
  json.Field("path", UnlessEmpty(path)).Field("warning", UnlessEmpty(SizeWarning(pack)));
  json.EndObject();
}

View PackView() {
  return {"pack list",
          {{Text("name", "name"), Integer("items", "items"),
            Cell("choices", "choices", ChoicesCell, true), Cell("metric", "metrics", FirstCell),
            Cell("shots", "fewshot", ShotsCell, false, true), Cell("hash", "hash", HashCell),
            Cell("source", "sources", TextsCell, false, true)},
           [](const JsonValue& row) { return TextOf(row, "warning"); }},
          {"name", "version", "items", "benchmark_items", "choices", "metrics", "fewshot",
           "delimiter", "hash", "sources", "path", "warning"},
          "there is no pack"};
}

}  // namespace couplingd
