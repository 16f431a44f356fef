// What Python's str does where lm-eval calls it, over UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace couplingd {

// str.isspace of one character: White_Space and the four separators U+001C to U+001F.
bool IsPythonSpace(char32_t c);

std::string_view StripRight(std::string_view text);          // str.rstrip()
std::string_view StripLeft(std::string_view text);           // str.lstrip()
std::string_view Strip(std::string_view text);               // str.strip()
std::vector<std::string> SplitWords(std::string_view text);  // str.split()
std::string Capitalize(std::string_view text);       // str.capitalize(): the rest is lower-cased
std::size_t CountCodePoints(std::string_view text);  // len()
std::string_view DropCodePoints(std::string_view text, std::size_t n);  // text[n:]

// One pass from left to right, as str.replace.
std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to);

}  // namespace couplingd
