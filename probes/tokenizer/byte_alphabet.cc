#include "probes/tokenizer/byte_alphabet.h"

#include <array>

namespace couplingd {
namespace {

constexpr int kAlphabetEnd = 0x144;

struct Alphabet {
  std::array<char16_t, 256> character_of{};
  std::array<std::int16_t, kAlphabetEnd> byte_of{};
};

constexpr bool StandsForItself(int byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

constexpr Alphabet MakeAlphabet() {
  Alphabet alphabet;
  alphabet.byte_of.fill(-1);
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const int character = StandsForItself(byte) ? byte : next++;
    alphabet.character_of[byte] = static_cast<char16_t>(character);
    alphabet.byte_of[character] = static_cast<std::int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = MakeAlphabet();

}  // namespace

void AppendByteSpelling(std::string& text, std::string_view bytes) {
  for (const unsigned char byte : bytes) {
    const char16_t character = kAlphabet.character_of[byte];
    if (character < 0x80) {
      text += static_cast<char>(character);
    } else {
      text += static_cast<char>(0xC0 | (character >> 6));
      text += static_cast<char>(0x80 | (character & 0x3F));
    }
  }
}

std::optional<std::uint8_t> ByteOf(char32_t c) {
  if (c >= kAlphabetEnd || kAlphabet.byte_of[c] < 0) return std::nullopt;
  return static_cast<std::uint8_t>(kAlphabet.byte_of[c]);
}

}  // namespace couplingd
