#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "base/files.h"
#include "probes/benchmark/json_lines.h"
#include "probes/benchmark/pack.h"
#include "probes/benchmark/samples.h"

namespace couplingd {
namespace {

constexpr std::string_view kPackKeys[] = {"name",      "version", "metrics",
                                          "delimiter", "fewshot", "sources"};
constexpr std::string_view kFewShotKeys[] = {"n", "preset", "seed"};
constexpr std::string_view kItemKeys[] = {"id",      "cluster", "context", "contexts",
                                          "choices", "gold",    "labels",  "meta"};

Status RefuseUnknownKeys(const JsonValue& object, std::span<const std::string_view> known,
                         const std::string& where, std::string_view hint) {
  for (const auto& member : object.GetObject()) {
    const std::string_view key(member.name.GetString(), member.name.GetStringLength());
    if (std::ranges::find(known, key) == known.end()) {
      return BadItem(where, fmt::format("unknown field \"{}\"", key), hint);
    }
  }
  return {};
}

Result<std::vector<bool>> ReadLabels(const JsonValue& object, std::size_t choices,
                                     const std::string& where) {
  const JsonValue* list = FindMember(object, "labels");
  const std::optional<std::int64_t> gold = TRY(FindInt(object, "gold", where));
  if ((list != nullptr) == gold.has_value()) {
    return BadItem(where, "give either \"gold\" or \"labels\"");
  }
  std::vector<bool> labels(choices, false);
  if (gold) {
    if (*gold < 0 || *gold >= static_cast<std::int64_t>(choices)) {
      return BadItem(where, fmt::format("field \"gold\" is {}, but the {} choices count from 0",
                                        *gold, choices));
    }
    labels[static_cast<std::size_t>(*gold)] = true;
    return labels;
  }
  if (!list->IsArray() || list->Size() != choices) {
    return BadItem(where, fmt::format("field \"labels\" must be a list of {} labels", choices));
  }
  for (std::size_t i = 0; i < choices; ++i) {
    const JsonValue& label = (*list)[static_cast<rapidjson::SizeType>(i)];
    const bool is_number = label.IsInt() && (label.GetInt() == 0 || label.GetInt() == 1);
    if (!is_number && !label.IsBool()) return BadItem(where, "a label must be 0 or 1");
    labels[i] = label.IsBool() ? label.GetBool() : label.GetInt() == 1;
  }
  return labels;
}

Result<PackItem> ReadItem(const JsonValue& object, const std::string& where) {
  TRY(RefuseUnknownKeys(object, kItemKeys, where,
                        "an item has id, cluster, context or contexts, choices, gold or labels; "
                        "anything else belongs into \"meta\""));
  PackItem item;
  item.id = TRY(FindString(object, "id", where)).value_or("");
  item.cluster = TRY(FindString(object, "cluster", where)).value_or("");
  const std::optional<std::string> context = TRY(FindString(object, "context", where));
  if (context.has_value() == (FindMember(object, "contexts") != nullptr)) {
    return BadItem(where, "give either \"context\" or \"contexts\"");
  }
  item.contexts = context ? std::vector{*context} : TRY(GetStrings(object, "contexts", where));
  item.choices = TRY(GetStrings(object, "choices", where));
  item.labels = TRY(ReadLabels(object, item.choices.size(), where));
  return item;
}

// Reads the lines, and checks each as an item of the pack so that the error names its line.
Status ReadItems(const std::string& path, Pack& pack) {
  std::set<std::string> ids;
  return ForEachLine(path, [&](const JsonValue& object, const std::string& where) -> Status {
    PackItem item = TRY(ReadItem(object, where));
    if (!item.id.empty() && !ids.insert(item.id).second) {
      return BadItem(where, fmt::format("the id \"{}\" stands twice", item.id));
    }
    Pack alone = {.name = pack.name, .metrics = {"acc"}, .delimiter = pack.delimiter};
    alone.items = {item};
    FillItemIds(alone.items);
    TRY(CheckPack(alone, where));
    pack.items.push_back(std::move(item));
    return {};
  });
}

Result<FewShot> ReadFewShot(const JsonValue& pack, const std::string& path) {
  FewShot fewshot;
  const JsonValue* object = FindMember(pack, "fewshot");
  if (!object) return fewshot;
  const std::string where = path + ": fewshot";
  if (!object->IsObject()) return BadItem(where, "must be an object");
  TRY(RefuseUnknownKeys(*object, kFewShotKeys, where, "its fields are n, preset, seed"));
  const std::int64_t n = TRY(FindInt(*object, "n", where)).value_or(0);
  if (n < 0 || n > 1000)
    return BadItem(where, fmt::format("field \"n\" is {}, outside 0 to 1000", n));
  fewshot.n = static_cast<int>(n);
  fewshot.preset = TRY(FindString(*object, "preset", where)).value_or("");
  fewshot.seed = TRY(FindInt(*object, "seed", where));
  return fewshot;
}

Result<Pack> LoadFolder(const std::string& directory) {
  const std::string path = JoinPath(directory, "pack.json");
  const JsonDocument object = TRY(ParseJsonFile(path));
  if (!object.IsObject()) return BadItem(path, "must be a JSON object");
  TRY(RefuseUnknownKeys(object, kPackKeys, path,
                        "the fields are name, version, metrics, delimiter, fewshot, sources"));
  Pack pack;
  pack.name = TRY(GetString(object, "name", path));
  pack.version = TRY(GetString(object, "version", path));
  pack.metrics = TRY(GetStrings(object, "metrics", path));
  pack.delimiter = TRY(FindString(object, "delimiter", path)).value_or("");
  pack.fewshot = TRY(ReadFewShot(object, path));
  if (FindMember(object, "sources")) pack.sources = TRY(GetStrings(object, "sources", path));
  TRY(ReadItems(JoinPath(directory, "items.jsonl"), pack));
  FillItemIds(pack.items);
  TRY(CheckPack(pack, directory));
  return pack;
}

std::string TaskNameOf(const std::string& path) {
  std::string name = BaseName(path);
  name = name.substr(0, name.find('.', 1));
  std::ranges::replace_if(
      name, [](unsigned char c) { return c <= 0x20 || c == 0x7F; }, '_');
  return name;
}

Result<Pack> LoadOwnItems(const std::string& path) {
  Pack pack = {.name = TaskNameOf(path), .version = "1", .sources = {BaseName(path)}};
  TRY(ReadItems(path, pack));
  FillItemIds(pack.items);
  const auto has_one = [](const PackItem& item) {
    return std::ranges::count(item.labels, true) == 1;
  };
  pack.metrics = std::ranges::all_of(pack.items, has_one)
                     ? std::vector<std::string>{"acc", "acc_norm"}
                     : std::vector<std::string>{"true_mass", "acc"};
  TRY(CheckPack(pack, path));
  return pack;
}

}  // namespace

Result<Pack> LoadPack(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    return std::unexpected(ErrnoError(errno, "open the item pack", path));
  }
  if (S_ISDIR(info.st_mode)) return LoadFolder(path);
  const JsonDocument first = TRY(FirstLine(path));
  if (FindMember(first, "arguments") || FindMember(first, "doc_id")) return ReadSamples(path);
  if (FindMember(first, "context") || FindMember(first, "contexts")) return LoadOwnItems(path);
  return BadItem(
      path, "the first line is neither an item {context, choices, gold} nor a sample of lm-eval",
      "a benchmark's own file is named with its kind, such as arc_easy=" + path);
}

}  // namespace couplingd
