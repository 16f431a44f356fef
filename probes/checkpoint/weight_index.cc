#include "probes/checkpoint/weight_index.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace couplingd {
namespace {

constexpr JsonLimits kIndexLimits = {.max_bytes = kMaxIndexBytes, .max_depth = 8};

bool IsPlainShardName(std::string_view name, std::string_view ending) {
  return name.size() <= 255 && name.ends_with(ending) && !name.starts_with('.') &&
         std::ranges::none_of(name,
                              [](unsigned char c) { return c == '/' || c < 0x20 || c == 0x7F; });
}

}  // namespace

Result<WeightMap> ParseWeightIndex(std::string_view text, const std::string& path,
                                   std::string_view ending) {
  Result<JsonDocument> parsed = ParseJson(text, path, kIndexLimits);
  if (!parsed) {
    return Fail(ErrorKind::kInvalidData, parsed.error().message,
                "it may still be written; a copy or a deletion that was stopped also looks like "
                "this",
                true);
  }
  const JsonValue* entries = FindMember(*parsed, "weight_map");
  if (!entries || !entries->IsObject()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: field \"weight_map\" must be an object", path));
  }
  WeightMap map;
  for (const auto& entry : entries->GetObject()) {
    const std::string tensor(entry.name.GetString(), entry.name.GetStringLength());
    if (!entry.value.IsString()) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("{}: weight_map.\"{}\" must be a string", path, tensor));
    }
    const std::string shard(entry.value.GetString(), entry.value.GetStringLength());
    if (!IsPlainShardName(shard, ending)) {
      return Fail(
          ErrorKind::kInvalidData,
          fmt::format("{}: tensor \"{}\" is placed in \"{}\", which is not a plain {} file name",
                      path, tensor, ToValidUtf8(shard), ending),
          "an index may only name files that lie beside it");
    }
    map[shard].insert(tensor);
  }
  if (map.empty())
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: weight_map is empty", path));
  return map;
}

}  // namespace couplingd
