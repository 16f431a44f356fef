// How the parts of a tokenizer.json are found: {"type":
// NAME, …} looked up in a table of name and builder.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace couplingd {

// `where` names the place in errors: "tokenizer.json: pre_tokenizer.pretokenizers[1]".
template <typename Interface>
struct ComponentBuilder {
  std::string_view name;
  Result<std::unique_ptr<Interface>> (*build)(const JsonValue& json, const std::string& where);
};

// The value of "type"; kInvalidData where `json` is no object or has none.
Result<std::string> ComponentType(const JsonValue& json, const std::string& where);

std::unexpected<Error> UnknownComponent(std::string_view type, const std::string& where,
                                        std::span<const std::string_view> known);

template <typename Interface, std::size_t N>
Result<std::unique_ptr<Interface>> BuildComponent(const ComponentBuilder<Interface> (&table)[N],
                                                  const JsonValue& json, const std::string& where) {
  const std::string type = TRY(ComponentType(json, where));
  std::vector<std::string_view> known;
  for (const auto& row : table) {
    if (row.name == type) return row.build(json, where);
    known.push_back(row.name);
  }
  return UnknownComponent(type, where, known);
}

// The array `key` of a component that holds others; `where` gains ".key[i]" for each.
Result<std::vector<std::pair<const JsonValue*, std::string>>> ComponentList(
    const JsonValue& json, std::string_view key, const std::string& where);

// Optional flag with a default.
Result<bool> GetFlag(const JsonValue& json, std::string_view key, bool otherwise,
                     const std::string& where);

// A required string that is exactly one code point.
Result<char32_t> GetCharacter(const JsonValue& json, std::string_view key,
                              const std::string& where);

}  // namespace couplingd
