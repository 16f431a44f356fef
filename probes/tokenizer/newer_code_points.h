// Code points that Unicode has assigned since version 14, by which PCRE2 classifies, up to that of
// the reference's regex engine.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace couplingd {

// A code point of Unicode 14 of as many bytes in UTF-8, to which the reference gives the same
// categories and properties, and which no literal range of a published tokenizer is known to hold;
// any other code point stands for itself.
char32_t StandInOf(char32_t c);

// The text with their stand-ins, byte by byte in place; absent where it holds none of them.
// REQUIRES: valid UTF-8.
std::optional<std::string> WithStandIns(std::string_view text);

}  // namespace couplingd
