#include "probes/tokenizer/oniguruma_class.h"

#include <fmt/format.h>

#include <optional>

#include "probes/tokenizer/oniguruma_names.h"
#include "probes/tokenizer/unicode.h"

namespace couplingd {
namespace {

constexpr int kMaxClassDepth = 32;
constexpr std::string_view kNothing = "(?!)";

CharacterSet SetOf(std::string_view items, bool negated, bool is_closed_under_case = true) {
  CharacterSet set;
  set.items = items;
  set.is_closed_under_case = is_closed_under_case;
  if (!negated) return set;
  CharacterSet complement;
  complement.AddNegated(set);
  return complement;
}

Result<CharacterSet> ParseProperty(PatternCursor& cursor, bool negated, bool in_brackets) {
  if (!cursor.TakeIf("{")) return RefusePattern(cursor, "\\p without braces");
  if (cursor.TakeIf("^")) negated = !negated;
  const std::size_t end = cursor.pattern.find('}', cursor.position);
  if (end == std::string_view::npos) return BadPattern(cursor, "\\p{ without }");
  const std::string_view name = cursor.pattern.substr(cursor.position, end - cursor.position);
  const std::optional<std::string> items = PropertyItems(name, in_brackets);
  if (!items) return RefusePattern(cursor, fmt::format("the property name \"{}\"", name));
  cursor.position = end + 1;
  return SetOf(*items, negated, IsClosedUnderCase(name));
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Takes up to `most` hexadecimal digits.
std::optional<char32_t> TakeHex(PatternCursor& cursor, int most) {
  char32_t value = 0;
  int taken = 0;
  while (taken < most && !cursor.AtEnd() && HexDigit(cursor.Peek()) >= 0) {
    value = value * 16 + static_cast<char32_t>(HexDigit(cursor.Take()));
    ++taken;
  }
  return taken ? std::optional(value) : std::nullopt;
}

Result<char32_t> ParseHexEscape(PatternCursor& cursor) {
  const bool braced = cursor.TakeIf("{");
  const auto value = TakeHex(cursor, braced ? 8 : 2);
  if (!value || (braced && !cursor.TakeIf("}"))) return BadPattern(cursor, "a bad \\x escape");
  if (!braced && *value >= 0x80) return RefusePattern(cursor, "\\xHH of a single byte above 7F");
  return *value;
}

Result<char32_t> ParseUnicodeEscape(PatternCursor& cursor) {
  const std::size_t start = cursor.position;
  const auto value = TakeHex(cursor, 4);
  if (!value || cursor.position != start + 4) return BadPattern(cursor, "a bad \\u escape");
  return *value;
}

Result<char32_t> CheckCodePoint(const PatternCursor& cursor, char32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
    return BadPattern(cursor, "an escape that is no Unicode code point");
  }
  return c;
}

// [:alpha:] and [:^alpha:]; the cursor stands behind the "[". Nothing is taken where it is none.
std::optional<CharacterSet> TakePosixBracket(PatternCursor& cursor) {
  PatternCursor ahead = cursor;
  if (!ahead.TakeIf(":")) return std::nullopt;
  const bool negated = ahead.TakeIf("^");
  const std::size_t end = ahead.pattern.find(":]", ahead.position);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view name = ahead.pattern.substr(ahead.position, end - ahead.position);
  const auto items = PosixItems(name);
  if (!items) return std::nullopt;
  cursor.position = end + 2;
  return SetOf(*items, negated, IsClosedUnderCase(name));
}

class ClassParser {
 public:
  ClassParser(PatternCursor& cursor, int depth) : cursor_(cursor), depth_(depth) {}

  Result<CharacterSet> Parse() {
    if (depth_ > kMaxClassDepth) return RefusePattern(cursor_, "classes nested that deep");
    const bool negated = cursor_.TakeIf("^");
    bool first = true;
    while (true) {
      if (cursor_.AtEnd()) return BadPattern(cursor_, "a [ without ]");
      if (cursor_.Peek() == ']' && !IsLiteralBracket(first)) break;
      if (cursor_.TakeIf("&&")) {
        CloseSegment();
      } else {
        auto parsed = ParseElement();
        if (!parsed) return std::unexpected(std::move(parsed).error());
      }
      first = false;
    }
    cursor_.Take();
    return Finish(negated);
  }

 private:
  // "[]a]" has a bracket in it; "[]" is an error that PCRE2 and Oniguruma share.
  bool IsLiteralBracket(bool first) const {
    return first && cursor_.pattern.find(']', cursor_.position + 1) != std::string_view::npos;
  }

  Status ParseElement() {
    if (cursor_.TakeIf("[")) {
      if (auto posix = TakePosixBracket(cursor_)) {
        segment_.Add(*posix);
        return {};
      }
      segment_.Add(TRY(ParseBracketClass(cursor_, depth_ + 1)));
      return {};
    }
    if (const auto letter = PeekSetEscape()) {
      cursor_.position += 2;
      segment_.Add(TRY(ParseSetEscape(cursor_, *letter, true)));
      return RefuseRange();
    }
    return ParseRange();
  }

  Status ParseRange() {
    const char32_t first = TRY(ParseCodePoint());
    if (!StartsRange()) {
      segment_.AddRange(first, first);
      return {};
    }
    cursor_.Take();
    if (PeekSetEscape()) return BadPattern(cursor_, "a range that ends in a set");
    const char32_t last = TRY(ParseCodePoint());
    if (last < first) return BadPattern(cursor_, "a range that runs backwards");
    segment_.AddRange(first, last);
    return {};
  }

  // A hyphen that neither "]" nor "[" nor "&&" follows.
  bool StartsRange() const {
    const std::string_view rest = cursor_.pattern.substr(cursor_.position);
    if (!rest.starts_with('-') || rest.size() < 2) return false;
    return rest[1] != ']' && rest[1] != '[' && !rest.substr(1).starts_with("&&");
  }

  Status RefuseRange() const {
    if (StartsRange()) return BadPattern(cursor_, "a range that starts with a set");
    return {};
  }

  std::optional<char> PeekSetEscape() const {
    const std::string_view rest = cursor_.pattern.substr(cursor_.position);
    if (rest.size() < 2 || rest[0] != '\\' || !IsSetEscape(rest[1])) return std::nullopt;
    return rest[1];
  }

  Result<char32_t> ParseCodePoint() {
    if (cursor_.AtEnd()) return BadPattern(cursor_, "a [ without ]");
    if (cursor_.TakeIf("\\b")) return 8;
    if (cursor_.TakeIf("\\")) return ParseCharacterEscape(cursor_);
    return cursor_.TakeCodePoint();
  }

  void CloseSegment() {
    intersected_ += fmt::format("(?={})", segment_.Expression());
    is_closed_under_case_ = is_closed_under_case_ && segment_.is_closed_under_case;
    segment_ = {};
  }

  CharacterSet Finish(bool negated) {
    CharacterSet set = std::move(segment_);
    if (!intersected_.empty()) {
      const std::string both = fmt::format("(?:{}{})", intersected_, set.Expression());
      const bool is_closed = is_closed_under_case_ && set.is_closed_under_case;
      set = {"", {both}, is_closed, /*is_composed=*/true};
    }
    if (!negated) return set;
    CharacterSet complement;
    complement.AddNegated(set);
    return complement;
  }

  PatternCursor& cursor_;
  const int depth_;
  CharacterSet segment_;
  std::string intersected_;  // lookaheads of the segments before an "&&"
  bool is_closed_under_case_ = true;
};

}  // namespace

bool PatternCursor::TakeIf(std::string_view text) {
  if (!pattern.substr(position).starts_with(text)) return false;
  position += text.size();
  return true;
}

char32_t PatternCursor::TakeCodePoint() { return NextCodePoint(pattern, position); }

std::unexpected<Error> RefusePattern(const PatternCursor& cursor, std::string_view what) {
  return Fail(ErrorKind::kUnsupported, fmt::format("the regex \"{}\" uses {} (near byte {})",
                                                   cursor.pattern, what, cursor.position));
}

std::unexpected<Error> BadPattern(const PatternCursor& cursor, std::string_view what) {
  return Fail(ErrorKind::kInvalidData, fmt::format("the regex \"{}\" has {} (near byte {})",
                                                   cursor.pattern, what, cursor.position));
}

void CharacterSet::Add(const CharacterSet& set) {
  items += set.items;
  others.insert(others.end(), set.others.begin(), set.others.end());
  is_closed_under_case = is_closed_under_case && set.is_closed_under_case;
  is_composed = is_composed || set.is_composed || !set.others.empty();
}

void CharacterSet::AddNegated(const CharacterSet& set) {
  others.push_back(set.NegatedExpression());
  is_closed_under_case = is_closed_under_case && set.is_closed_under_case;
  is_composed = is_composed || set.is_composed || !set.others.empty();
}

void CharacterSet::AddRange(char32_t first, char32_t last) {
  items += LiteralCodePoint(first);
  if (last != first) items += "-" + LiteralCodePoint(last);
}

std::string CharacterSet::Expression() const {
  if (others.empty()) return items.empty() ? std::string(kNothing) : fmt::format("[{}]", items);
  if (items.empty() && others.size() == 1) return others.front();
  std::string expression = "(?:";
  if (!items.empty()) expression += fmt::format("[{}]|", items);
  for (const std::string& other : others) expression += other + "|";
  expression.back() = ')';
  return expression;
}

std::string CharacterSet::NegatedExpression() const {
  if (others.empty() && !items.empty()) return fmt::format("[^{}]", items);
  return fmt::format("(?:(?!{})(?s:.))", Expression());
}

std::string LiteralCodePoint(char32_t c) {
  const bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  if (is_plain) return std::string(1, static_cast<char>(c));
  return fmt::format("\\x{{{:x}}}", static_cast<std::uint32_t>(c));
}

bool IsSetEscape(char letter) {
  return std::string_view("sSwWdDhHpP").find(letter) != std::string_view::npos;
}

Result<CharacterSet> ParseSetEscape(PatternCursor& cursor, char letter, bool in_brackets) {
  switch (letter) {
    case 's':
    case 'S':
      return SetOf(R"(\p{White_Space})", letter == 'S');
    case 'w':
    case 'W':
      return SetOf(WordItems(in_brackets), letter == 'W');
    case 'd':
    case 'D':
      return SetOf(R"(\p{Nd})", letter == 'D');
    case 'h':
    case 'H':
      return SetOf("0-9A-Fa-f", letter == 'H');
    default:
      return ParseProperty(cursor, letter == 'P', in_brackets);
  }
}

Result<char32_t> ParseCharacterEscape(PatternCursor& cursor) {
  if (cursor.AtEnd()) return BadPattern(cursor, "a backslash at its end");
  const char32_t c = cursor.TakeCodePoint();
  switch (c) {
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case 'a':
      return '\a';
    case 'e':
      return 0x1B;
    case 'x':
      return CheckCodePoint(cursor, TRY(ParseHexEscape(cursor)));
    case 'u':
      return CheckCodePoint(cursor, TRY(ParseUnicodeEscape(cursor)));
    default:
      break;
  }
  if (c < 0x80 && LiteralCodePoint(c).size() == 1) {
    return RefusePattern(cursor, fmt::format("the escape \\{}", static_cast<char>(c)));
  }
  return c;
}

Result<CharacterSet> ParseBracketClass(PatternCursor& cursor, int depth) {
  return ClassParser(cursor, depth).Parse();
}

}  // namespace couplingd
