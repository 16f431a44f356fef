#include "probes/tokenizer/precompiled.h"

#include <fmt/format.h>
#include <unicode/brkiter.h>
#include <unicode/utext.h>

#include <memory>

#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

constexpr std::size_t kLongGrapheme = 6;  // bytes; from here on its characters are looked up

std::uint32_t ReadUnit(std::string_view bytes, std::size_t at) {
  std::uint32_t unit = 0;
  for (int i = 3; i >= 0; --i) unit = unit << 8 | static_cast<unsigned char>(bytes[at + i]);
  return unit;
}

// The fields of a unit of a double-array trie (darts-clone).
bool HasLeaf(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::uint32_t LabelOf(std::uint32_t unit) { return unit & 0x800000FF; }
std::uint32_t ValueOf(std::uint32_t unit) { return unit & 0x7FFFFFFF; }
std::uint32_t OffsetOf(std::uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); }

struct CloseText {
  void operator()(UText* text) const { utext_close(text); }
};

}  // namespace

Result<PrecompiledTable> PrecompiledTable::Parse(std::string_view bytes, const std::string& where) {
  const std::size_t trie_bytes = bytes.size() < 4 ? 0 : ReadUnit(bytes, 0);
  if (trie_bytes == 0 || trie_bytes % 4 != 0 || trie_bytes > bytes.size() - 4) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: {} bytes are no table of replacements", where, bytes.size()));
  }
  PrecompiledTable table;
  for (std::size_t at = 4; at < 4 + trie_bytes; at += 4) {
    table.units_.push_back(ReadUnit(bytes, at));
  }
  table.replacements_ = bytes.substr(4 + trie_bytes);
  if (!IsValidUtf8(table.replacements_)) {
    return Fail(ErrorKind::kInvalidData, where + ": the replacements are not valid UTF-8");
  }
  return table;
}

std::optional<std::string_view> PrecompiledTable::Find(std::string_view key) const {
  std::size_t node = OffsetOf(units_[0]);
  for (const char c : key) {
    const auto byte = static_cast<unsigned char>(c);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || LabelOf(units_[node]) != byte) return std::nullopt;
    const std::uint32_t unit = units_[node];
    node ^= OffsetOf(unit);
    if (!HasLeaf(unit)) continue;
    if (node >= units_.size()) return std::nullopt;
    const std::size_t begin = ValueOf(units_[node]);
    if (begin >= replacements_.size()) return std::nullopt;
    const std::size_t end = replacements_.find('\0', begin);
    return std::string_view(replacements_).substr(begin, end - begin);
  }
  return std::nullopt;
}

Result<std::string> PrecompiledTable::Apply(std::string_view text) const {
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::BreakIterator> breaks(
      icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), status));
  const std::unique_ptr<UText, CloseText> utext(
      utext_openUTF8(nullptr, text.data(), static_cast<std::int64_t>(text.size()), &status));
  if (U_SUCCESS(status)) breaks->setText(utext.get(), status);
  if (U_FAILURE(status)) {
    return Fail(ErrorKind::kInternal,
                fmt::format("ICU cannot find graphemes: {}", u_errorName(status)));
  }
  std::string out;
  std::int32_t begin = breaks->first();
  for (std::int32_t end = breaks->next(); end != icu::BreakIterator::DONE; end = breaks->next()) {
    const std::string_view grapheme = text.substr(begin, end - begin);
    begin = end;
    const auto whole = grapheme.size() < kLongGrapheme ? Find(grapheme) : std::nullopt;
    if (whole) {
      out += *whole;
    } else {
      AppendCharacters(grapheme, out);
    }
  }
  return out;
}

void PrecompiledTable::AppendCharacters(std::string_view grapheme, std::string& out) const {
  for (std::size_t at = 0; at < grapheme.size();) {
    const std::size_t begin = at;
    NextCodePoint(grapheme, at);
    const std::string_view character = grapheme.substr(begin, at - begin);
    out += Find(character).value_or(character);
  }
}

}  // namespace couplingd
