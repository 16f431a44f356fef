#include "base/regex.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "probes/tokenizer/oniguruma.h"
#include "probes/tokenizer/unicode.h"
#include "tests/probes/tokenizer/fixtures.h"

namespace couplingd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> Matches(std::string_view pattern, std::string_view text) {
  const OnigurumaRegex regex = Unwrap(CompileOniguruma(pattern));
  std::vector<std::string> found;
  for (const TextSpan& match : Unwrap(regex.FindAll(text))) {
    found.emplace_back(text.substr(match.begin, match.end - match.begin));
  }
  return found;
}

using CodePointSet = std::vector<bool>;

// data/character_classes.json: {"class": [[first, last],
// …]} over the code points that Unicode 14 assigns.
class CharacterClasses : public testing::Test {
 protected:
  CodePointSet Members(const std::string& name) const {
    CodePointSet members(0x110000);
    for (const JsonValue& range : classes_[name.c_str()].GetArray()) {
      for (unsigned c = range[0].GetUint(); c <= range[1].GetUint(); ++c) members[c] = true;
    }
    return members;
  }

  template <typename IsMember>
  void ExpectMembers(const std::string& name, IsMember is_member) const {
    const CodePointSet expected = Members(name);
    std::string wrong;
    std::size_t members = 0;
    for (std::uint32_t c = 0; c < expected.size(); ++c) {
      members += expected[c];
      if (assigned_[c] && is_member(c) != expected[c]) wrong += fmt::format(" {:x}", c);
    }
    EXPECT_GT(members, 0u) << name;
    EXPECT_EQ(wrong.substr(0, 300), "") << name;
  }

  const JsonDocument classes_ = ReadFixture("character_classes.json");
  const CodePointSet assigned_ = Members("assigned");
};

TEST_F(CharacterClasses, OfRegexesAreThoseOfOniguruma) {
  std::string text;
  for (std::uint32_t c = 0; c < assigned_.size(); ++c) {
    if (assigned_[c]) AppendUtf8(text, c);
  }
  for (const auto& entry : classes_.GetObject()) {
    const std::string pattern = TextOf(entry.name);
    if (pattern[0] != '\\' && pattern[0] != '[' && pattern[0] != '(') continue;
    const OnigurumaRegex regex = Unwrap(CompileOniguruma(pattern));
    CodePointSet found(assigned_.size());
    for (TextSpan match : Unwrap(regex.FindAll(text))) {
      while (match.begin < match.end) found[NextCodePoint(text, match.begin)] = true;
    }
    ExpectMembers(pattern, [&](char32_t c) { return found[c]; });
  }
}

TEST_F(CharacterClasses, OfPredicatesAreThoseOfTheReference) {
  ExpectMembers("numeric", IsNumeric);
  ExpectMembers("punctuation", IsPunctuation);
  ExpectMembers("word", IsWord);
  ExpectMembers("\\s", IsWhitespace);
}

TEST(Regex, FindsWithoutOverlapFromTheLeft) {
  EXPECT_THAT(Matches("aa|a", "aaab a"), ElementsAre("aa", "a", "a"));
  EXPECT_THAT(Matches(R"(\s+(?!\S)|\s+)", "a   b \n"), ElementsAre("  ", " ", " \n"));
}

TEST(Regex, TakesAnEmptyMatchOnlyWhereNoneHasJustEnded) {
  EXPECT_THAT(Matches("a*", "baac\xC3\xA9"), ElementsAre("", "aa", "", ""));
  EXPECT_THAT(Matches("", "ab"), ElementsAre("", "", ""));
  EXPECT_THAT(Matches("a*", ""), ElementsAre(""));
}

TEST(Regex, CountsNextLineAsABlankButNotTheMongolianVowelSeparator) {
  EXPECT_THAT(Matches(R"(\s)", "a\xC2\x85\xE1\xA0\x8E\xE3\x80\x80z"),
              ElementsAre("\xC2\x85", "\xE3\x80\x80"));
  EXPECT_THAT(Matches(R"([^\S\n])", "a\n\xC2\x85z"), ElementsAre("\xC2\x85"));
}

TEST(Regex, ReadsTheDialectOfOniguruma) {
  EXPECT_THAT(Matches(R"(\h+)", "xfF09g"), ElementsAre("fF09"));
  EXPECT_THAT(Matches(R"(\v)", "\n\v\f"), ElementsAre("\v"));
  EXPECT_THAT(Matches("[^(b|[c,])]+", "ab(c),d"), ElementsAre("a", "d"));
  EXPECT_THAT(Matches("[a-z&&[^aeiou]&&[^x]]+", "abcxd"), ElementsAre("bc", "d"));
  EXPECT_THAT(Matches("[^a-c&&b-d]+", "abcd"), ElementsAre("a", "d"));
  EXPECT_THAT(Matches("[a&&]|b", "ab"), ElementsAre("b"));
  EXPECT_THAT(Matches("[]a]+|[^]a]", "]ab"), ElementsAre("]a", "b"));
  EXPECT_THAT(Matches("[\\W\\d]+", "a1-b"), ElementsAre("1-"));
  EXPECT_THAT(Matches("(?m:a.b)", "a\nb"), ElementsAre("a\nb"));
  EXPECT_THAT(Matches("a.b", "a\nb"), ElementsAre());
  EXPECT_THAT(Matches("^b$", "a\nb\nc"), ElementsAre("b"));
  EXPECT_THAT(Matches("a(?i)b|C", "aB ac C c"), ElementsAre("aB", "ac"));
  EXPECT_THAT(Matches("(?i:'s|'T)", "'S 't 'x '\xC5\xBF"), ElementsAre("'S", "'t", "'\xC5\xBF"));
  EXPECT_THAT(Matches(R"(\bq\B)", "qa q aq"), ElementsAre("q"));
  EXPECT_THAT(Matches(R"(\u0061\x{62}\x63)", "abc"), ElementsAre("abc"));
}

TEST(Regex, RepeatsAsOniguruma) {
  EXPECT_THAT(Matches("a{1,2}+a", "aaaa"), ElementsAre("aaaa"));
  EXPECT_THAT(Matches("a++a|b", "aaab"), ElementsAre("b"));
  EXPECT_THAT(Matches("xa{,2}", "xaaa"), ElementsAre("xaa"));
  EXPECT_THAT(Matches("a{2}?b", "aab b"), ElementsAre("aab", "b"));
  EXPECT_THAT(Matches("a{1,3}?", "aa"), ElementsAre("a", "a"));
  EXPECT_THAT(Matches("ba+*", "baab"), ElementsAre("baa", "b"));
  EXPECT_THAT(Matches("a{|{,}", "a{ {,}"), ElementsAre("a{", "{,}"));
}

TEST(Regex, RefusesUnderIgnoredCaseWhatTheEnginesWidenDifferently) {
  for (const std::string_view pattern :
       {"(?i)\\p{Lu}", "(?i:[a\\p{Ll}])", "a(?i)[\\W_]", "(?i:[a-z&&[^b]])"}) {
    const auto regex = CompileOniguruma(pattern);
    ASSERT_FALSE(regex) << pattern;
    EXPECT_EQ(regex.error().kind, ErrorKind::kUnsupported);
    EXPECT_THAT(regex.error().message, HasSubstr("under (?i)"));
  }
  EXPECT_THAT(Matches("(?i:x)[\\p{Lu}]|(?i-i:\\p{Ll})", "XA a"), ElementsAre("XA", "a"));
  EXPECT_THAT(Matches("(?i:[^a\\s\\p{N}]+)", "Ab1 \xC3\x89"), ElementsAre("b", "\xC3\x89"));
}

// A letter of Unicode 15, a digit of 15, a Han character of 15.1 and a letter of 16.
TEST(Regex, KnowsWhatUnicodeHasAssignedSinceVersion14) {
  const std::string letter = "\U0001E4D0", digit = "\U00011F50", han = "\U0002EBF0";
  const std::string latin = "\uA7CB";
  EXPECT_THAT(Matches(R"(\p{L}+)", "a" + letter + latin + han + digit + "b"),
              ElementsAre("a" + letter + latin + han, "b"));
  EXPECT_THAT(Matches(R"(\p{N}{1,3})", "1" + digit + "2" + digit),
              ElementsAre("1" + digit + "2", digit));
  EXPECT_THAT(Matches(R"(\p{Han})", letter + han), ElementsAre(han));
  EXPECT_THAT(Matches(R"(\p{Lu})", letter + latin), ElementsAre(latin));
  EXPECT_THAT(Matches(R"([^\s\p{L}\p{N}]+)", letter + "!" + digit), ElementsAre("!"));
  EXPECT_TRUE(IsNumeric(0x11F50));
  EXPECT_TRUE(IsNumeric(0x11DE9));
  EXPECT_TRUE(IsWord(0x105C0));
}

TEST(Regex, TakesANewerCodePointForItselfInARange) {
  EXPECT_THAT(Matches("[\u0800-\u4e00]+", "a\u2429 b"), ElementsAre("\u2429"));
  EXPECT_THAT(Matches("\\s?[a-z\u2c00-\u2c7b]+", "a \ua7cb b"), ElementsAre("a", " b"));
}

TEST(Regex, SaysSoWhereASearchIsTooExpensive) {
  const OnigurumaRegex regex = Unwrap(CompileOniguruma("(?:a|a)+[bc]"));
  const auto matches = regex.FindAll(std::string(64, 'a'));
  ASSERT_FALSE(matches);
  EXPECT_EQ(matches.error().kind, ErrorKind::kExhausted);
  EXPECT_THAT(matches.error().message, HasSubstr("(?:a|a)+[bc]"));
}

TEST(Regex, GetsThroughAMegabyteThatBacktracksDeeply) {
  const std::string text(1 << 20, 'a');
  EXPECT_EQ(Matches("(?:ab?|b)+c|a+", text).size(), 1u);
}

TEST(TranslateOniguruma, KeepsScriptsApartFromScriptExtensions) {
  EXPECT_EQ(Unwrap(TranslateOniguruma(R"(\p{Han})")), R"([\p{sc:han}])");
}

}  // namespace
}  // namespace couplingd
