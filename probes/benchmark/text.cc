#include "probes/benchmark/text.h"

#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/stringoptions.h>

#include <algorithm>

#include "probes/tokenizer/unicode.h"

namespace couplingd {

bool IsPythonSpace(char32_t c) { return (c >= 0x1C && c <= 0x1F) || IsWhitespace(c); }

std::string_view StripRight(std::string_view text) {
  std::size_t end = text.size();
  for (std::size_t position = end; position > 0; end = position) {
    if (!IsPythonSpace(PreviousCodePoint(text, position))) break;
  }
  return text.substr(0, end);
}

std::string_view StripLeft(std::string_view text) {
  std::size_t begin = 0;
  for (std::size_t position = 0; position < text.size(); begin = position) {
    if (!IsPythonSpace(NextCodePoint(text, position))) break;
  }
  return text.substr(begin);
}

std::string_view Strip(std::string_view text) { return StripRight(StripLeft(text)); }

std::vector<std::string> SplitWords(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t begin = position;
    const bool is_space = IsPythonSpace(NextCodePoint(text, position));
    if (!is_space && !in_word) words.emplace_back();
    if (!is_space) words.back() += text.substr(begin, position - begin);
    in_word = !is_space;
  }
  return words;
}

std::string Capitalize(std::string_view text) {
  if (text.empty()) return {};
  std::size_t first = 0;
  NextCodePoint(text, first);
  UErrorCode status = U_ZERO_ERROR;
  std::string title, lower, lower_first;
  icu::StringByteSink title_sink(&title), lower_sink(&lower), lower_first_sink(&lower_first);
  const std::string_view head = text.substr(0, first);
  const auto piece = [](std::string_view part) {
    return icu::StringPiece(part.data(), static_cast<std::int32_t>(part.size()));
  };
  icu::CaseMap::utf8ToTitle("", U_TITLECASE_WHOLE_STRING | U_TITLECASE_NO_BREAK_ADJUSTMENT, nullptr,
                            piece(head), title_sink, nullptr, status);
  icu::CaseMap::utf8ToLower("", 0, piece(head), lower_first_sink, nullptr, status);
  icu::CaseMap::utf8ToLower("", 0, piece(text), lower_sink, nullptr, status);
  if (U_FAILURE(status)) return std::string(text);
  return title + lower.substr(std::min(lower_first.size(), lower.size()));
}

std::size_t CountCodePoints(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string_view DropCodePoints(std::string_view text, std::size_t n) {
  std::size_t position = 0;
  for (; n > 0 && position < text.size(); --n) NextCodePoint(text, position);
  return text.substr(position);
}

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (std::size_t position = 0;;) {
    const std::size_t found = text.find(from, position);
    result += text.substr(position, found - position);
    if (found == std::string_view::npos) return result;
    result += to;
    position = found + from.size();
  }
}

}  // namespace couplingd
