// Expected values are what CPython 3.11 gives for the same calls.
#include "probes/benchmark/text.h"

#include <gtest/gtest.h>

#include "tests/probes/benchmark/fixtures.h"

namespace couplingd {
namespace {

TEST(Strip, TakesWhatPythonCallsSpace) {
  EXPECT_EQ(
      StripRight(
          "a "
          "\t\r\n\v\f\x1c\x1d\x1e\x1f\u0085\u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"),
      "a");
  EXPECT_EQ(StripRight("a\u200b"), "a\u200b");  // zero width space is none
  EXPECT_EQ(StripRight("a\u180e"), "a\u180e");
  EXPECT_EQ(Strip("\u3000 a b \n"), "a b");
  EXPECT_EQ(Strip(" \u00a0"), "");
}

TEST(Capitalize, LowersTheRest) {
  EXPECT_EQ(Capitalize("she THEN Folds"), "She then folds");
  EXPECT_EQ(Capitalize("ßTRASSE"), "Sstrasse");
  EXPECT_EQ(Capitalize("ὈΔΥΣΣΕΎΣ"), "Ὀδυσσεύς");
  EXPECT_EQ(Capitalize("ǆ"), "ǅ");
  EXPECT_EQ(Capitalize("İSTANBUL"), "İstanbul");
  EXPECT_EQ(Capitalize(""), "");
}

TEST(CountCodePoints, CountsCharactersNotBytes) {
  EXPECT_EQ(CountCodePoints("naïve 日本 👍🏽"), 11u);
  EXPECT_EQ(CountCodePoints(""), 0u);
}

TEST(ReplaceAll, GoesOverTheTextOnce) {
  EXPECT_EQ(ReplaceAll("a    b", "  ", " "), "a  b");
  EXPECT_EQ(ReplaceAll("abc", "x", "y"), "abc");
}

}  // namespace
}  // namespace couplingd
