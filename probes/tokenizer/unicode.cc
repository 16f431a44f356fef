#include "probes/tokenizer/unicode.h"

#include <fmt/format.h>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/utf8.h>

#include "probes/tokenizer/newer_code_points.h"

namespace couplingd {
namespace {

Result<const icu::Normalizer2*> FindNormalizer(NormalizationForm form) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = nullptr;
  switch (form) {
    case NormalizationForm::kNfc:
      normalizer = icu::Normalizer2::getNFCInstance(status);
      break;
    case NormalizationForm::kNfd:
      normalizer = icu::Normalizer2::getNFDInstance(status);
      break;
    case NormalizationForm::kNfkc:
      normalizer = icu::Normalizer2::getNFKCInstance(status);
      break;
    case NormalizationForm::kNfkd:
      normalizer = icu::Normalizer2::getNFKDInstance(status);
      break;
  }
  if (U_FAILURE(status) || !normalizer) {
    return Fail(ErrorKind::kInternal,
                fmt::format("ICU has no normalization data: {}", u_errorName(status)));
  }
  return normalizer;
}

bool IsAscii(std::string_view text) {
  for (const unsigned char byte : text) {
    if (byte >= 0x80) return false;
  }
  return true;
}

// The reference classifies punctuation with tables of this
// Unicode version, where two more code points were in P.
bool WasPunctuationInUnicode8(char32_t c) {
  if (c == 0x166D || c == 0x111C9) return true;
  if (!(U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_P_MASK)) return false;
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] != 0 && age[0] <= 8;
}

}  // namespace

char32_t NextCodePoint(std::string_view text, std::size_t& position) {
  UChar32 c;
  U8_NEXT_OR_FFFD(text.data(), position, text.size(), c);
  return static_cast<char32_t>(c);
}

char32_t PreviousCodePoint(std::string_view text, std::size_t& position) {
  do {
    --position;
  } while (position > 0 && (static_cast<unsigned char>(text[position]) & 0xC0) == 0x80);
  std::size_t end = position;
  return NextCodePoint(text, end);
}

void AppendUtf8(std::string& text, char32_t code_point) {
  char bytes[U8_MAX_LENGTH];
  std::size_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, static_cast<UChar32>(code_point));
  text.append(bytes, size);
}

std::string DecodeUtf8Lossily(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  std::size_t i = 0;
  while (i < bytes.size()) AppendUtf8(text, NextCodePoint(bytes, i));
  return text;
}

bool IsWhitespace(char32_t c) { return u_isUWhiteSpace(static_cast<UChar32>(c)); }

bool IsWord(char32_t c) {
  const auto code = static_cast<UChar32>(StandInOf(c));
  constexpr auto kWordCategories = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return u_isUAlphabetic(code) || (U_GET_GC_MASK(code) & kWordCategories) ||
         u_hasBinaryProperty(code, UCHAR_JOIN_CONTROL);
}

bool IsNumeric(char32_t c) {
  // Unicode 17's, which the reference's Rust knows and its regex engine does not.
  if ((c >= 0x11DE0 && c <= 0x11DE9) || (c >= 0x16FF4 && c <= 0x16FF6)) return true;
  return U_GET_GC_MASK(static_cast<UChar32>(StandInOf(c))) & U_GC_N_MASK;
}

bool IsPunctuation(char32_t c) {
  if (c < 0x80) return U_GET_GC_MASK(static_cast<UChar32>(c)) & (U_GC_P_MASK | U_GC_S_MASK);
  return WasPunctuationInUnicode8(c);
}

struct UnicodeNormalization::Tables {
  Tables(const icu::Normalizer2& whole, const icu::UnicodeSet& set)
      : known(set), normalizer(whole, known) {}
  const icu::UnicodeSet known;
  const icu::FilteredNormalizer2 normalizer;
};

UnicodeNormalization::UnicodeNormalization(std::unique_ptr<const Tables> tables)
    : tables_(std::move(tables)) {}
UnicodeNormalization::UnicodeNormalization(UnicodeNormalization&&) noexcept = default;
UnicodeNormalization::~UnicodeNormalization() = default;

Result<UnicodeNormalization> UnicodeNormalization::Make(NormalizationForm form) {
  const icu::Normalizer2* whole = TRY(FindNormalizer(form));
  UErrorCode status = U_ZERO_ERROR;
  icu::UnicodeSet known(icu::UnicodeString::fromUTF8("[:Age=9.0:]"), status);
  if (U_FAILURE(status)) {
    return Fail(ErrorKind::kInternal,
                fmt::format("ICU has no property data: {}", u_errorName(status)));
  }
  known.freeze();
  return UnicodeNormalization(std::make_unique<Tables>(*whole, known));
}

Result<std::string> UnicodeNormalization::Apply(std::string_view text) const {
  if (IsAscii(text)) return std::string(text);
  if (text.size() > INT32_MAX) {
    return Fail(ErrorKind::kUnsupported, "the text to normalize is longer than 2 GiB");
  }
  std::string normalized;
  icu::StringByteSink<std::string> sink(&normalized, static_cast<std::int32_t>(text.size()));
  UErrorCode status = U_ZERO_ERROR;
  tables_->normalizer.normalizeUTF8(
      0, icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())), sink, nullptr,
      status);
  if (U_FAILURE(status)) {
    return Fail(ErrorKind::kInternal,
                fmt::format("ICU could not normalize a text: {}", u_errorName(status)));
  }
  return normalized;
}

std::string LowercaseUnicode(std::string_view text) {
  constexpr char32_t kCapitalIWithDot = 0x130;
  std::string lower;
  lower.reserve(text.size());
  std::size_t i = 0;
  while (i < text.size()) {
    const char32_t c = NextCodePoint(text, i);
    // The one code point whose full lower-case form has two: i and a combining dot above.
    if (c == kCapitalIWithDot) {
      lower += "i\xCC\x87";
    } else {
      AppendUtf8(lower, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))));
    }
  }
  return lower;
}

}  // namespace couplingd
