// Numbers that a text spells, in C's notation: no blanks, no plus sign, no locale.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace couplingd {

// What the whole text spells; nothing where it spells no T, or one that T cannot hold.
template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T number{};
  const char* const text_end = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), text_end, number);
  if (error != std::errc() || end != text_end) return std::nullopt;
  return number;
}

// Takes the digits at the beginning of the text off it; nothing, and the text as it was, where it
// begins with none or with more than fit.
inline std::optional<std::int64_t> TakeDigits(std::string_view& text) {
  std::int64_t number = 0;
  if (text.starts_with('-')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace couplingd
