// The few questions about code points that tokenizers
// ask, over ICU. Texts are valid UTF-8 unless said.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/utf8.h"

namespace couplingd {

// Reads the code point at `position` and moves past it. REQUIRES: position < text.size().
char32_t NextCodePoint(std::string_view text, std::size_t& position);
// Reads the code point that ends at `position` and moves before it. REQUIRES: position > 0.
char32_t PreviousCodePoint(std::string_view text, std::size_t& position);
void AppendUtf8(std::string& text, char32_t code_point);

// Bytes to text: every maximal ill-formed sequence becomes one U+FFFD (the W3C rule).
std::string DecodeUtf8Lossily(std::string_view bytes);

bool IsWhitespace(char32_t c);  // White_Space
bool IsWord(char32_t c);        // UTS 18 \w: Alphabetic, marks, decimal digits, connectors, joiners
bool IsNumeric(char32_t c);     // Nd, Nl, No
bool IsPunctuation(char32_t c);  // ASCII punctuation and symbols, and category P as of Unicode 8

enum class NormalizationForm { kNfc, kNfd, kNfkc, kNfkd };

// The reference's tables are those of Unicode 9: what came later is left as it is, here too.
class UnicodeNormalization {
 public:
  static Result<UnicodeNormalization> Make(NormalizationForm form);
  UnicodeNormalization(UnicodeNormalization&&) noexcept;
  ~UnicodeNormalization();

  // May be called from any number of threads.
  Result<std::string> Apply(std::string_view text) const;

 private:
  struct Tables;
  explicit UnicodeNormalization(std::unique_ptr<const Tables> tables);
  std::unique_ptr<const Tables> tables_;
};

// Code point by code point, without context (so a final sigma is σ).
std::string LowercaseUnicode(std::string_view text);

}  // namespace couplingd
