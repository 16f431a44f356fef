#include "probes/benchmark/sources.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "base/files.h"
#include "probes/benchmark/builders.h"
#include "probes/benchmark/json_lines.h"

namespace couplingd {
namespace {

struct KindRow {
  std::string_view kind;
  std::size_t max_paths;
  bool takes_shots;
  Result<std::vector<Pack>> (*build)(Paths paths, const BuildOptions& options);
};

constexpr KindRow kKinds[] = {
    {"truthfulqa", 1, false, BuildTruthfulQa},
    {"hellaswag", 1, false, BuildHellaSwag},
    {"arc_easy", 1, false, BuildArcEasy},
    {"arc_challenge", 1, false, BuildArcChallenge},
    {"winogrande", 1, false, BuildWinogrande},
    {"piqa", 2, false, BuildPiqa},
    {"mmlu", 1, true, BuildMmlu},
};

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

std::vector<std::string_view> PackKinds() {
  std::vector<std::string_view> kinds;
  for (const KindRow& row : kKinds) kinds.push_back(row.kind);
  return kinds;
}

Result<std::vector<Pack>> BuildPacks(std::string_view kind, std::span<const std::string> paths,
                                     const BuildOptions& options) {
  const auto row = std::ranges::find(kKinds, kind, &KindRow::kind);
  if (row == std::end(kKinds)) {
    return Fail(ErrorKind::kUsage, fmt::format("\"{}\" is no kind of benchmark", kind),
                fmt::format("kinds are {}", fmt::join(PackKinds(), ", ")));
  }
  if (paths.empty() || paths.size() > row->max_paths) {
    return Fail(ErrorKind::kUsage,
                fmt::format("{} is built from {} file{}, {} given", kind, row->max_paths,
                            row->max_paths == 1 ? "" : "s at most", paths.size()));
  }
  if (options.shots < 0 || options.shots > 1000 || (options.shots > 0 && !row->takes_shots)) {
    return Fail(ErrorKind::kUsage,
                fmt::format("{} cannot be built with {} shots", kind, options.shots),
                "only mmlu takes shots, 0 to 1000");
  }
  std::vector<Pack> packs = TRY(row->build(paths, options));
  for (Pack& pack : packs) {
    FillItemIds(pack.items);
    TRY(CheckPack(pack, paths[0]));
  }
  return packs;
}

Result<std::vector<Pack>> OpenPacks(const std::string& spec) {
  const std::size_t equals = spec.find('=');
  const std::vector<std::string> head = Split(std::string_view(spec).substr(0, equals), ':');
  if (equals != std::string::npos && head[0].find('/') == std::string::npos) {
    BuildOptions options;
    if (head.size() > 1) {
      const char* end = head[1].data() + head[1].size();
      if (head.size() > 2 || std::from_chars(head[1].data(), end, options.shots).ptr != end) {
        return Fail(ErrorKind::kUsage, fmt::format("\"{}\" is no number of shots", head[1]));
      }
    }
    return BuildPacks(head[0], Split(std::string_view(spec).substr(equals + 1), ','), options);
  }
  if (spec.ends_with(".csv")) return BuildPacks("truthfulqa", {{spec}});
  std::vector<Pack> packs;
  packs.push_back(TRY(LoadPack(spec)));
  return packs;
}

Pack NewPack(std::string name, std::string version, std::vector<std::string> metrics,
             std::span<const std::string> paths) {
  Pack pack = {
      .name = std::move(name), .version = std::move(version), .metrics = std::move(metrics)};
  pack.delimiter = " ";
  pack.fewshot.preset = "lm-eval";
  for (const std::string& path : paths) pack.sources.push_back(BaseName(path));
  return pack;
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
  if (value->IsString()) {
    const char* end = value->GetString() + value->GetStringLength();
    if (std::from_chars(value->GetString(), end, index).ptr != end) index = -1;
  }
  if (index < 0 || index >= static_cast<std::int64_t>(choices)) {
    return BadItem(where, fmt::format("field \"{}\" must be a whole number from 0 to {}", key,
                                      static_cast<std::int64_t>(choices) - 1));
  }
  return static_cast<std::size_t>(index);
}

}  // namespace couplingd
