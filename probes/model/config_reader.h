// Reads single fields of a config.json, with errors that name file and field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "probes/model/config.h"

namespace couplingd {

// Aliases of one key, in order of preference, and the family's default where the file has none of
// them. `fallback` 0 means that the rule beside the field decides.
struct SizeKey {
  std::vector<std::string_view> names;
  std::int64_t fallback = 0;
};

struct FlagKey {
  std::string_view name;  // empty: not configurable
  bool fallback = false;
};

// kInvalidData: `source: field "field" problem`.
std::unexpected<Error> BadField(std::string_view source, std::string_view field,
                                std::string_view problem);

class ConfigReader {
 public:
  // Both outlive the reader.
  ConfigReader(const JsonValue& json, std::string_view source) : json_(json), source_(source) {}

  // The first of the key's names that is there, within 1..`most`.
  Result<std::int64_t> Size(const SizeKey& key, std::int64_t most) const;
  Result<bool> Flag(const FlagKey& key) const;
  // A finite number above zero.
  Result<std::optional<double>> Positive(std::string_view key) const;
  // The fallback where the file lacks the key; 0 where it says null.
  Result<double> PositiveOrNone(std::string_view key, double fallback) const;
  Result<std::int64_t> SizeOrNone(std::string_view key, std::int64_t fallback) const;
  Result<std::optional<std::string>> Text(std::string_view key) const;
  // A token id, or the first of a list of them.
  Result<std::optional<std::int64_t>> TokenIdOrFirst(std::string_view key) const;
  Result<std::optional<std::vector<double>>> Numbers(std::string_view key) const;
  Result<std::optional<std::vector<std::int64_t>>> Integers(std::string_view key) const;
  // Per layer whether "layer_types" calls it "sliding_attention"; nullopt where the file lacks it.
  Result<std::optional<std::vector<bool>>> SlidingLayers(std::int64_t layers) const;
  // The object under the key; nullptr where there is none.
  Result<const JsonValue*> Object(std::string_view key) const;
  // A sentence that says why the field's value is not computed.
  std::unexpected<Error> Unsupported(std::string_view field, std::string_view why) const;

  const JsonValue& json() const { return json_; }
  std::string_view source() const { return source_; }

 private:
  bool IsNull(std::string_view key) const;

  const JsonValue& json_;
  const std::string_view source_;
};

}  // namespace couplingd
