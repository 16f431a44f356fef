#include "probes/tokenizer/oniguruma.h"

#include <fmt/format.h>

#include <optional>

#include "probes/tokenizer/newer_code_points.h"
#include "probes/tokenizer/oniguruma_class.h"
#include "probes/tokenizer/oniguruma_names.h"

namespace couplingd {
namespace {

constexpr int kMaxGroupDepth = 64;
constexpr std::size_t kMaxPatternBytes = 64 << 10;

struct Interval {
  std::string text;  // as PCRE2 spells it
  bool is_fixed;     // {n}
};

class Translator {
 public:
  explicit Translator(std::string_view pattern) : cursor_{pattern} {}

  Result<std::string> Translate() {
    std::string translated = TRY(ParseAlternatives(0));
    if (!cursor_.AtEnd()) return BadPattern(cursor_, "a ) without (");
    return translated;
  }

 private:
  // Up to the end or to the ")" that closes the group, which is not taken.
  Result<std::string> ParseAlternatives(int depth) {
    if (depth > kMaxGroupDepth) return RefusePattern(cursor_, "groups nested that deep");
    const bool outer_ignores_case = ignores_case_;
    std::string out;
    while (!cursor_.AtEnd() && cursor_.Peek() != ')') {
      if (cursor_.TakeIf("|")) {
        out += '|';
      } else if (auto options = TRY(TakeIsolatedOptions())) {
        // Such options reach to the end of the group, over all its further alternatives.
        out += fmt::format("(?{}:{})", *options, TRY(ParseAlternatives(depth + 1)));
      } else {
        out += TRY(ParseTerm(depth));
      }
    }
    ignores_case_ = outer_ignores_case;
    return out;
  }

  Result<std::string> ParseTerm(int depth) {
    std::string atom = TRY(ParseAtom(depth));
    bool is_quantified = false;
    while (!cursor_.AtEnd()) {
      const std::optional<std::string> quantifier = TRY(TakeQuantifier());
      if (!quantifier) break;
      if (is_quantified) atom = fmt::format("(?:{})", atom);
      atom += *quantifier;
      is_quantified = true;
    }
    return atom;
  }

  Result<std::string> ParseAtom(int depth) {
    const char c = cursor_.Peek();
    switch (c) {
      case '(':
        cursor_.Take();
        return ParseGroup(depth);
      case '[':
        cursor_.Take();
        return ClassExpression(TRY(ParseBracketClass(cursor_, 0)));
      case '\\':
        cursor_.Take();
        return ParseEscape();
      case '.':
      case '^':
      case '$':
        return std::string(1, cursor_.Take());
      case '*':
      case '+':
      case '?':
        return BadPattern(cursor_, "a repetition of nothing");
      default:
        return LiteralCodePoint(cursor_.TakeCodePoint());
    }
  }

  // Under (?i) Oniguruma widens a whole class by the case variants of its members. PCRE2 widens
  // single characters and ranges; what is composed of complements, or holds a property that case
  // matters to, would differ.
  Result<std::string> ClassExpression(const CharacterSet& set) const {
    if (ignores_case_ && (set.is_composed || !set.is_closed_under_case)) {
      return RefusePattern(cursor_, "such a class under (?i)");
    }
    return set.Expression();
  }

  Result<std::string> SetExpression(const CharacterSet& set) const {
    if (ignores_case_ && !set.is_closed_under_case) {
      return RefusePattern(cursor_, "such a property under (?i)");
    }
    return set.Expression();
  }

  Result<std::string> ParseGroup(int depth) {
    const bool outer_ignores_case = ignores_case_;
    const std::string opening = TRY(TakeGroupOpening());
    const std::string inside = TRY(ParseAlternatives(depth + 1));
    ignores_case_ = outer_ignores_case;
    if (!cursor_.TakeIf(")")) return BadPattern(cursor_, "a ( without )");
    return opening + inside + ")";
  }

  // Groups capture nothing here: what could refer to a capture is refused.
  Result<std::string> TakeGroupOpening() {
    if (!cursor_.AtEnd() && cursor_.Peek() == '*') return RefusePattern(cursor_, "a callout");
    if (!cursor_.TakeIf("?")) return "(?:";
    for (const std::string_view kind : {"<=", "<!", ":", "=", "!", ">"}) {
      if (cursor_.TakeIf(kind)) return fmt::format("(?{}", kind);
    }
    if (cursor_.TakeIf("#")) {
      while (!cursor_.AtEnd() && cursor_.Peek() != ')') cursor_.Take();
      return "(?:";
    }
    if (cursor_.TakeIf("<")) return SkipGroupName('>');
    if (cursor_.TakeIf("'")) return SkipGroupName('\'');
    const std::string options = TRY(TakeOptions());
    if (!cursor_.TakeIf(":")) return RefusePattern(cursor_, "a group of this kind");
    return fmt::format("(?{}:", options);
  }

  Result<std::string> SkipGroupName(char end) {
    while (!cursor_.AtEnd()) {
      if (cursor_.Take() == end) return "(?:";
    }
    return BadPattern(cursor_, "a group name without an end");
  }

  // "i", "m", "im-i", … in PCRE2's letters.
  Result<std::string> TakeOptions() {
    std::string options;
    bool on = true;
    while (!cursor_.AtEnd() && cursor_.Peek() != ':' && cursor_.Peek() != ')') {
      const char option = cursor_.Take();
      if (option != 'i' && option != 'm' && option != '-') {
        return RefusePattern(cursor_, fmt::format("the group (?{}", option));
      }
      if (option == '-') on = false;
      if (option == 'i') ignores_case_ = on;
      options += option == 'm' ? 's' : option;
    }
    return options;
  }

  // "(?i)"; nothing is taken where something else stands.
  Result<std::optional<std::string>> TakeIsolatedOptions() {
    PatternCursor ahead = cursor_;
    if (!ahead.TakeIf("(?")) return std::nullopt;
    while (!ahead.AtEnd() &&
           (std::string_view("imxWDSP-").find(ahead.Peek()) != std::string_view::npos)) {
      ahead.Take();
    }
    if (ahead.AtEnd() || ahead.Peek() != ')' || ahead.position == cursor_.position + 2) {
      return std::nullopt;
    }
    cursor_.TakeIf("(?");
    std::string options = TRY(TakeOptions());
    cursor_.TakeIf(")");
    return options;
  }

  Result<std::string> ParseEscape() {
    if (cursor_.AtEnd()) return BadPattern(cursor_, "a backslash at its end");
    const char c = cursor_.Peek();
    if (IsSetEscape(c)) {
      cursor_.Take();
      return SetExpression(TRY(ParseSetEscape(cursor_, c, false)));
    }
    if (cursor_.TakeIf("N")) return "(?-s:.)";
    if (cursor_.TakeIf("O")) return "(?s:.)";
    if (cursor_.TakeIf("R")) return R"((?>\r\n|[\n-\r\x{85}\x{2028}\x{2029}]))";
    if (cursor_.TakeIf("A")) return "\\A";
    if (cursor_.TakeIf("z")) return "\\z";
    if (cursor_.TakeIf("Z")) return "\\Z";
    const std::string word = fmt::format("[{}]", WordItems(false));
    if (cursor_.TakeIf("b")) return fmt::format("(?:(?<={0})(?!{0})|(?<!{0})(?={0}))", word);
    if (cursor_.TakeIf("B")) return fmt::format("(?:(?<={0})(?={0})|(?<!{0})(?!{0}))", word);
    return LiteralCodePoint(TRY(ParseCharacterEscape(cursor_)));
  }

  Result<std::optional<std::string>> TakeQuantifier() {
    for (const char simple : {'*', '+', '?'}) {
      if (!cursor_.TakeIf(std::string_view(&simple, 1))) continue;
      std::string quantifier(1, simple);
      if (!cursor_.AtEnd() && (cursor_.Peek() == '?' || cursor_.Peek() == '+')) {
        quantifier += cursor_.Take();
      }
      return quantifier;
    }
    auto interval = TakeInterval();
    if (!interval) return std::nullopt;
    // "{n}?" is an optional repetition; "{n,m}?" a lazy one.
    if (!interval->is_fixed && cursor_.TakeIf("?")) interval->text += '?';
    return interval->text;
  }

  // {n}, {n,}, {,m} or {n,m}; a brace that starts none of them is a literal and is left alone.
  std::optional<Interval> TakeInterval() {
    PatternCursor ahead = cursor_;
    if (!ahead.TakeIf("{")) return std::nullopt;
    const std::string low = TakeDigits(ahead);
    const bool has_comma = ahead.TakeIf(",");
    const std::string high = has_comma ? TakeDigits(ahead) : "";
    if (!ahead.TakeIf("}") || (low.empty() && high.empty())) return std::nullopt;
    cursor_ = ahead;
    if (!has_comma) return Interval{fmt::format("{{{}}}", low), true};
    return Interval{fmt::format("{{{},{}}}", low.empty() ? "0" : low, high), false};
  }

  static std::string TakeDigits(PatternCursor& cursor) {
    std::string digits;
    while (!cursor.AtEnd() && cursor.Peek() >= '0' && cursor.Peek() <= '9') digits += cursor.Take();
    return digits;
  }

  PatternCursor cursor_;
  bool ignores_case_ = false;
};

// Ranges mean their own code points; no space is newer than Unicode 14.
bool AsksForProperties(std::string_view translated) {
  constexpr std::string_view kSpace = "p{White_Space}", kAsking = "pPwWdDbB";
  for (std::size_t at = 0; at + 1 < translated.size(); ++at) {
    if (translated.substr(at, 2) == "[:") return true;
    if (translated[at] != '\\') continue;
    ++at;
    const std::string_view rest = translated.substr(at);
    const bool is_space = rest.starts_with('P') ? rest.substr(1).starts_with(kSpace.substr(1))
                                                : rest.starts_with(kSpace);
    if (!is_space && kAsking.contains(rest.front())) return true;
  }
  return false;
}

}  // namespace

Result<std::string> TranslateOniguruma(std::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes) {
    return Fail(ErrorKind::kUnsupported, fmt::format("a regex of {} bytes; at most {} are taken",
                                                     pattern.size(), kMaxPatternBytes));
  }
  return Translator(pattern).Translate();
}

Result<std::vector<TextSpan>> OnigurumaRegex::FindAll(std::string_view text) const {
  const auto known = asks_for_properties_ ? WithStandIns(text) : std::nullopt;
  return translated_.FindAll(known ? std::string_view(*known) : text);
}

Result<OnigurumaRegex> CompileOniguruma(std::string_view pattern) {
  const std::string translated = TRY(TranslateOniguruma(pattern));
  auto compiled = Regex::Compile(translated);
  if (compiled) return OnigurumaRegex(*std::move(compiled), AsksForProperties(translated));
  return std::unexpected(compiled.error().Within(fmt::format("translated from \"{}\"", pattern)));
}

}  // namespace couplingd
