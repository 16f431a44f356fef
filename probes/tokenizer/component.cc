#include "probes/tokenizer/component.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "probes/tokenizer/unicode.h"

namespace couplingd {

Result<std::string> ComponentType(const JsonValue& json, const std::string& where) {
  if (!json.IsObject()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} must be an object", where));
  }
  return GetString(json, "type", where);
}

std::unexpected<Error> UnknownComponent(std::string_view type, const std::string& where,
                                        std::span<const std::string_view> known) {
  return Fail(ErrorKind::kUnsupported,
              fmt::format("{}: the type \"{}\" is not supported", where, type),
              fmt::format("supported here: {}", fmt::join(known, ", ")));
}

Result<std::vector<std::pair<const JsonValue*, std::string>>> ComponentList(
    const JsonValue& json, std::string_view key, const std::string& where) {
  const JsonValue* list = FindMember(json, key);
  if (!list || !list->IsArray()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: field \"{}\" must be an array", where, key));
  }
  std::vector<std::pair<const JsonValue*, std::string>> components;
  for (const JsonValue& element : list->GetArray()) {
    components.emplace_back(&element, fmt::format("{}.{}[{}]", where, key, components.size()));
  }
  return components;
}

Result<bool> GetFlag(const JsonValue& json, std::string_view key, bool otherwise,
                     const std::string& where) {
  return TRY(FindBool(json, key, where)).value_or(otherwise);
}

Result<char32_t> GetCharacter(const JsonValue& json, std::string_view key,
                              const std::string& where) {
  const std::string text = TRY(GetString(json, key, where));
  std::size_t end = 0;
  const char32_t character = text.empty() ? 0 : NextCodePoint(text, end);
  if (text.empty() || end != text.size()) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: field \"{}\" must be one character", where, key));
  }
  return character;
}

}  // namespace couplingd
