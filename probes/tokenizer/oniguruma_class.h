// Character sets of the Oniguruma dialect, as PCRE2 text. Used by oniguruma.cc alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace couplingd {

// Where a parser stands in a pattern. REQUIRES for Peek and Take: !AtEnd().
struct PatternCursor {
  std::string_view pattern;
  std::size_t position = 0;

  bool AtEnd() const { return position >= pattern.size(); }
  char Peek() const { return pattern[position]; }
  char Take() { return pattern[position++]; }
  bool TakeIf(std::string_view text);
  char32_t TakeCodePoint();
};

std::unexpected<Error> RefusePattern(const PatternCursor& cursor, std::string_view what);
std::unexpected<Error> BadPattern(const PatternCursor& cursor, std::string_view what);

// A set that matches exactly one code point: the union of what stands in `items` (text that is
// valid between [ and ]) and of `others` (expressions that match one code point each).
struct CharacterSet {
  std::string items;
  std::vector<std::string> others;
  // False with a property such as \p{Lu}, which PCRE2 does not widen under (?i).
  bool is_closed_under_case = true;
  // Made of sets one of which is a complement or an intersection.
  bool is_composed = false;

  void Add(const CharacterSet& set);
  void AddNegated(const CharacterSet& set);
  void AddRange(char32_t first, char32_t last);
  std::string Expression() const;
  std::string NegatedExpression() const;
};

// One code point, spelled so that PCRE2 takes it literally inside and outside a class.
std::string LiteralCodePoint(char32_t c);

// The letters \s \w \d \h \p and their capitals; the cursor stands behind the letter.
bool IsSetEscape(char letter);
Result<CharacterSet> ParseSetEscape(PatternCursor& cursor, char letter, bool in_brackets);

// An escape that is one code point (\n, \x{61}, \u0061,
// \., …); the cursor stands behind the backslash.
Result<char32_t> ParseCharacterEscape(PatternCursor& cursor);

// A bracket class; the cursor stands behind the "[".
Result<CharacterSet> ParseBracketClass(PatternCursor& cursor, int depth);

}  // namespace couplingd
