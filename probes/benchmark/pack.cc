#include "probes/benchmark/pack.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/files.h"
#include "base/hash.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/metrics.h"
#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

void WriteList(JsonWriter& json, const std::vector<std::string>& list) {
  json.BeginArray();
  for (const std::string& text : list) json.Value(text);
  json.EndArray();
}

// One true label is written as gold, the form in which most benchmarks have it.
void WriteLabels(JsonWriter& json, const std::vector<bool>& labels) {
  if (std::ranges::count(labels, true) == 1) {
    const auto gold = std::ranges::find(labels, true) - labels.begin();
    json.Field("gold", static_cast<std::int64_t>(gold));
    return;
  }
  json.Key("labels").BeginArray();
  for (const bool label : labels) json.Value(label ? 1 : 0);
  json.EndArray();
}

std::string ItemLine(const PackItem& item) {
  JsonWriter json;
  json.BeginObject().Field("id", item.id);
  if (!item.cluster.empty()) json.Field("cluster", item.cluster);
  if (item.contexts.size() == 1) {
    json.Field("context", item.contexts[0]);
  } else {
    WriteList(json.Key("contexts"), item.contexts);
  }
  WriteList(json.Key("choices"), item.choices);
  WriteLabels(json, item.labels);
  json.EndObject();
  return json.Text() + "\n";
}

std::string PackLine(const Pack& pack, bool with_sources) {
  JsonWriter json;
  json.BeginObject().Field("name", pack.name).Field("version", pack.version);
  WriteList(json.Key("metrics"), pack.metrics);
  json.Field("delimiter", pack.delimiter);
  json.Key("fewshot").BeginObject();
  json.Field("n", pack.fewshot.n).Field("preset", pack.fewshot.preset);
  json.Field("seed", pack.fewshot.seed).EndObject();
  if (with_sources) WriteList(json.Key("sources"), pack.sources);
  json.EndObject();
  return json.Text() + "\n";
}

// A task name stands in file names, metric labels and axes, where a dot ends it.
bool IsTaskName(std::string_view name) {
  const auto fits = [](unsigned char c) { return c > 0x20 && c != 0x7F && c != '/' && c != '.'; };
  return !name.empty() && name.size() <= 128 && std::ranges::all_of(name, fits);
}

Status CheckTexts(const std::vector<std::string>& texts, std::string_view field,
                  const std::string& where) {
  for (const std::string& text : texts) {
    if (text.find('\0') != std::string::npos) {
      return BadItem(where, fmt::format("a NUL character in \"{}\"", field));
    }
    if (!IsValidUtf8(text)) return BadItem(where, fmt::format("\"{}\" is not UTF-8", field));
  }
  return {};
}

Status CheckItem(const Pack& pack, const PackItem& item, const std::string& where) {
  TRY(CheckTexts({item.id, item.cluster}, "id", where));
  TRY(CheckTexts(item.contexts, "context", where));
  TRY(CheckTexts(item.choices, "choices", where));
  const std::size_t n = item.choices.size();
  const bool is_one_text = n == 1 && IsOneTextTask(pack.name);
  if ((n < 2 && !is_one_text) || n > kMaxChoices) {
    return BadItem(where, fmt::format("{} choices; an item needs two to {}", n, kMaxChoices));
  }
  if (item.contexts.size() != 1 && item.contexts.size() != n) {
    return BadItem(where, fmt::format("{} contexts for {} choices; give one, or one per choice",
                                      item.contexts.size(), n));
  }
  if (item.labels.size() != n) {
    return BadItem(where, fmt::format("{} labels for {} choices", item.labels.size(), n));
  }
  const auto right = static_cast<std::size_t>(std::ranges::count(item.labels, true));
  if (right == 0) return BadItem(where, "no choice is labelled as right");
  if (right == n && !is_one_text) return BadItem(where, "every choice is labelled as right");
  for (std::size_t choice = 0; choice < n; ++choice) {
    if (pack.Continuation(item, choice).empty()) {
      return BadItem(where, fmt::format("choice {} is empty, so nothing would be scored", choice));
    }
  }
  return {};
}

}  // namespace

std::string PackHash(const Pack& pack) {
  StreamHash hash;
  hash.Update(PackLine(pack, false));
  for (const PackItem& item : pack.items) hash.Update(ItemLine(item));
  return hash.Hex();
}

Status CheckPack(const Pack& pack, std::string_view source) {
  if (!IsTaskName(pack.name)) {
    return BadItem(source, fmt::format("\"{}\" cannot be a task's name", pack.name),
                   "use 1 to 128 characters without blanks, '/' and '.'");
  }
  const std::vector<std::string_view> known = MetricNamesOf(pack.name);
  if (pack.metrics.empty()) return BadItem(source, "the pack names no metric");
  for (const std::string& metric : pack.metrics) {
    if (std::ranges::find(known, metric) == known.end()) {
      return BadItem(source, fmt::format("unknown metric \"{}\"", metric),
                     fmt::format("metrics are {}", fmt::join(known, ", ")));
    }
    if (std::ranges::count(pack.metrics, metric) > 1) {
      return BadItem(source, fmt::format("the metric \"{}\" stands twice", metric));
    }
  }
  if (pack.items.empty()) return BadItem(source, "no item in the pack");
  std::set<std::string_view> ids;
  for (const PackItem& item : pack.items) {
    const std::string where = fmt::format("{}: item \"{}\"", source, item.id);
    if (item.id.empty()) return BadItem(source, "an item without an id");
    if (!ids.insert(item.id).second) return BadItem(where, "the id stands twice");
    TRY(CheckItem(pack, item, where));
  }
  return {};
}

void FillItemIds(std::vector<PackItem>& items) {
  std::map<std::string, int> seen;
  for (PackItem& item : items) {
    if (!item.id.empty()) continue;
    PackItem text = item;
    text.cluster.clear();
    const std::string id = HashHex(ItemLine(text)).substr(0, 16);
    const int count = ++seen[id];
    item.id = count == 1 ? id : fmt::format("{}-{}", id, count);
  }
}

Status WritePack(const Pack& pack, const std::string& directory) {
  TRY(CheckPack(pack, directory));
  TRY(MakeDirectories(directory, 0755));
  std::string items;
  for (const PackItem& item : pack.items) items += ItemLine(item);
  TRY(WriteFileAtomically(JoinPath(directory, "items.jsonl"), items, 0644));
  return WriteFileAtomically(JoinPath(directory, "pack.json"), PackLine(pack, true), 0644);
}

}  // namespace couplingd
