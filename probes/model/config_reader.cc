#include "probes/model/config_reader.h"

#include <fmt/format.h>

#include <cmath>

namespace couplingd {

std::unexpected<Error> BadField(std::string_view source, std::string_view field,
                                std::string_view problem) {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: field \"{}\" {}", source, field, problem),
              "the configuration does not describe a model that can exist; compare it with the "
              "trainer's own copy");
}

Result<std::int64_t> ConfigReader::Size(const SizeKey& key, std::int64_t most) const {
  for (const std::string_view name : key.names) {
    const std::optional<std::int64_t> value = TRY(FindInt(json_, name, source_));
    if (!value) continue;
    if (*value < 1 || *value > most) {
      return BadField(source_, name, fmt::format("is {}, outside 1 to {}", *value, most));
    }
    return *value;
  }
  return key.fallback;
}

Result<bool> ConfigReader::Flag(const FlagKey& key) const {
  if (key.name.empty()) return key.fallback;
  return TRY(FindBool(json_, key.name, source_)).value_or(key.fallback);
}

Result<std::optional<double>> ConfigReader::Positive(std::string_view key) const {
  const std::optional<double> value = TRY(FindDouble(json_, key, source_));
  if (value && !(std::isfinite(*value) && *value > 0)) {
    return BadField(source_, key, fmt::format("is {}, which is no positive number", *value));
  }
  return value;
}

bool ConfigReader::IsNull(std::string_view key) const {
  const auto member = json_.FindMember(
      JsonValue(rapidjson::StringRef(key.data(), static_cast<rapidjson::SizeType>(key.size()))));
  return member != json_.MemberEnd() && member->value.IsNull();
}

Result<double> ConfigReader::PositiveOrNone(std::string_view key, double fallback) const {
  return TRY(Positive(key)).value_or(IsNull(key) ? 0 : fallback);
}

Result<std::int64_t> ConfigReader::SizeOrNone(std::string_view key, std::int64_t fallback) const {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  return TRY(Size({{key}, IsNull(key) ? 0 : fallback}, kMost));
}

Result<std::optional<std::string>> ConfigReader::Text(std::string_view key) const {
  return FindString(json_, key, source_);
}

Result<std::optional<std::int64_t>> ConfigReader::TokenIdOrFirst(std::string_view key) const {
  const JsonValue* value = FindMember(json_, key);
  if (value == nullptr) return std::nullopt;
  if (value->IsArray() && !value->Empty() && (*value)[0].IsInt64()) return (*value)[0].GetInt64();
  if (value->IsInt64()) return value->GetInt64();
  return BadField(source_, key, "must be an integer or a list of integers");
}

Result<std::optional<std::vector<double>>> ConfigReader::Numbers(std::string_view key) const {
  const JsonValue* list = FindMember(json_, key);
  if (list == nullptr) return std::nullopt;
  std::vector<double> numbers;
  const bool is_list = list->IsArray();
  for (rapidjson::SizeType i = 0; is_list && i < list->Size(); ++i) {
    if (!(*list)[i].IsNumber()) break;
    numbers.push_back((*list)[i].GetDouble());
  }
  if (!is_list || numbers.size() != list->Size()) {
    return BadField(source_, key, "must be a list of numbers");
  }
  return numbers;
}

Result<std::optional<std::vector<std::int64_t>>> ConfigReader::Integers(
    std::string_view key) const {
  const JsonValue* list = FindMember(json_, key);
  if (list == nullptr) return std::nullopt;
  std::vector<std::int64_t> numbers;
  const bool is_list = list->IsArray();
  for (rapidjson::SizeType i = 0; is_list && i < list->Size(); ++i) {
    if (!(*list)[i].IsInt64()) break;
    numbers.push_back((*list)[i].GetInt64());
  }
  if (!is_list || numbers.size() != list->Size()) {
    return BadField(source_, key, "must be a list of integers");
  }
  return numbers;
}

Result<std::optional<std::vector<bool>>> ConfigReader::SlidingLayers(std::int64_t layers) const {
  constexpr std::string_view kKey = "layer_types";
  const JsonValue* list = FindMember(json_, kKey);
  if (list == nullptr) return std::nullopt;
  if (!list->IsArray() || static_cast<std::int64_t>(list->Size()) != layers) {
    return BadField(source_, kKey,
                    fmt::format("must be a list with one name for each of the {} "
                                "layers",
                                layers));
  }
  std::vector<bool> is_sliding;
  for (const JsonValue& type : list->GetArray()) {
    const std::string_view name = type.IsString() ? type.GetString() : "";
    if (name != "sliding_attention" && name != "full_attention") {
      return Unsupported(kKey, fmt::format("names \"{}\"; known are full_attention and "
                                           "sliding_attention",
                                           name));
    }
    is_sliding.push_back(name == "sliding_attention");
  }
  return is_sliding;
}

Result<const JsonValue*> ConfigReader::Object(std::string_view key) const {
  const JsonValue* value = FindMember(json_, key);
  if (value != nullptr && !value->IsObject()) return BadField(source_, key, "must be an object");
  return value;
}

std::unexpected<Error> ConfigReader::Unsupported(std::string_view field,
                                                 std::string_view why) const {
  return Fail(ErrorKind::kUnsupported, fmt::format("{}: field \"{}\" {}", source_, field, why));
}

}  // namespace couplingd
