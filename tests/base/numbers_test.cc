#include "base/numbers.h"

#include <gtest/gtest.h>

namespace couplingd {
namespace {

TEST(ParseNumber, IsWhatTheWholeTextSpells) {
  EXPECT_EQ(ParseNumber<int>("-12"), -12);
  EXPECT_EQ(ParseNumber<double>("2.5e-1"), 0.25);
  for (const char* text : {"", " 1", "1 ", "+1", "1x", "0x1", "1.5"}) {
    EXPECT_EQ(ParseNumber<int>(text), std::nullopt) << text;
  }
}

TEST(ParseNumber, IsNothingWhereTheTypeCannotHoldIt) {
  EXPECT_EQ(ParseNumber<std::uint16_t>("65535"), 65535);
  EXPECT_EQ(ParseNumber<std::uint16_t>("65536"), std::nullopt);
  EXPECT_EQ(ParseNumber<unsigned>("-1"), std::nullopt);
  EXPECT_EQ(ParseNumber<double>("1e999"), std::nullopt);
}

TEST(TakeDigits, LeavesWhatFollowsThem) {
  std::string_view text = "007_3";
  EXPECT_EQ(TakeDigits(text), 7);
  EXPECT_EQ(text, "_3");
  for (std::string_view none : {"", "_3", "-3", "99999999999999999999"}) {
    const std::string_view before = none;
    EXPECT_EQ(TakeDigits(none), std::nullopt) << before;
    EXPECT_EQ(none, before);
  }
}

}  // namespace
}  // namespace couplingd
