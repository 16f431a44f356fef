// The alphabet of byte-level tokenizers: each of the 256 bytes as one
// printable character. 33-126, 161-172 and 174-255 stand for
// themselves, the other bytes in increasing order for U+0100, U+0101, …
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace couplingd {

// Appends the spelling of every byte of `bytes`.
void AppendByteSpelling(std::string& text, std::string_view bytes);

// The byte that a character of the alphabet stands for.
std::optional<std::uint8_t> ByteOf(char32_t c);

}  // namespace couplingd
