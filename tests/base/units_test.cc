#include "base/units.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

using std::chrono::milliseconds;

TEST(ParseDuration, ReadsUnitsAndSums) {
  EXPECT_EQ(ParseDuration("250ms").value(), milliseconds(250));
  EXPECT_EQ(ParseDuration("1h30m").value(), milliseconds(5400000));
  EXPECT_EQ(ParseDuration("0.5s").value(), milliseconds(500));
  EXPECT_EQ(ParseDuration("0s").value(), milliseconds(0));
}

TEST(ParseDuration, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "30", "s", "-5s", "5 s", "5x", "1e300d", "nan s"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

TEST(FormatDuration, IsReadBackAsTheSameSpan) {
  for (std::int64_t span : {0, 1, 999, 1000, 61001, 90061001}) {
    EXPECT_EQ(ParseDuration(FormatDuration(milliseconds(span))).value(), milliseconds(span))
        << span;
  }
}

TEST(ParseSize, KnowsBinaryAndDecimalUnits) {
  EXPECT_EQ(ParseSize("8GiB").value(), 8ull << 30);
  EXPECT_EQ(ParseSize("100MB").value(), 100000000u);
  for (const char* text : {"", "8", "8Gi", "-1B", "1e30TiB"}) EXPECT_FALSE(ParseSize(text)) << text;
}

TEST(ParseCount, KnowsTheSuffixesOfTheField) {
  EXPECT_EQ(ParseCount("1.4B").value(), 1.4e9);
  EXPECT_EQ(ParseCount("70M").value(), 7e7);
  EXPECT_EQ(ParseCount("3e9").value(), 3e9);
  for (const char* text : {"", "B", "1.4Q", "-1"}) EXPECT_FALSE(ParseCount(text)) << text;
}

TEST(FormatCount, IsShort) {
  EXPECT_EQ(FormatCount(1414647808), "1.415B");
  EXPECT_EQ(FormatCount(404608), "404.6k");
  EXPECT_EQ(FormatCount(12), "12");
}

}  // namespace
}  // namespace couplingd
