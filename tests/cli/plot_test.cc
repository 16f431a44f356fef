#include "cli/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "cli/screen_text.h"

namespace couplingd {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Plot, PutsPointsWhereTheyBelong) {
  const ChartSeries series{"s", {{1, 0}, {10, 1}, {100, 2}}};
  const auto lines =
      Lines(DrawPlot({.title = "t", .x_label = "x", .y_label = "y", .series = {series}},
                     {.width = 50, .height = 9, .ascii = true}));
  // Title, nine rows, axis, labels, legend. A logarithmic axis makes 1, 10, 100 equally far apart.
  ASSERT_EQ(lines.size(), 13u);
  const auto column = [](const std::string& line) { return static_cast<long>(line.find('*')); };
  EXPECT_EQ(column(lines[9]), 10);
  EXPECT_NEAR(column(lines[5]) - column(lines[9]), column(lines[1]) - column(lines[5]), 1);
  EXPECT_THAT(lines[11], HasSubstr("100"));
  EXPECT_THAT(lines[12], HasSubstr("x (log)   y: y   * s"));
}

TEST(Plot, ShowsIntervalsAndTheReference) {
  const ChartSeries series{"s", {{1, 0.5, 0.1, 0.9}, {2, 0.6, std::nullopt, 0.7}}};
  const std::string text =
      DrawPlot({.title = "t", .log_x = false, .series = {series}, .lines = {{0, ""}}},
               {.height = 11, .ascii = true});
  EXPECT_GE(std::ranges::count(text, '|'), 11 + 5);
  EXPECT_THAT(text, HasSubstr("- "));
}

TEST(Plot, FitsItsWidthInBrailleAndAscii) {
  ChartSeries series{"a rather long name", {}};
  for (int i = 1; i < 200; ++i) series.points.push_back({1e9 * i, -5.0 + i % 7, -1e9, 1e9});
  for (const bool ascii : {false, true}) {
    for (const int width : {40, 80, 200}) {
      const std::string text = DrawPlot({.title = std::string(300, 't'), .series = {series}},
                                        {.width = width, .ascii = ascii});
      for (const std::string& line : Lines(text)) {
        const bool is_legend = line.find("y:") != std::string::npos;
        EXPECT_TRUE(is_legend || DisplayWidth(line) <= static_cast<std::size_t>(width)) << line;
      }
      const bool is_ascii = std::ranges::all_of(text, [](unsigned char c) { return c < 0x80; });
      EXPECT_TRUE(is_ascii || !ascii);
    }
  }
}

TEST(Plot, SaysWhatItCannotDraw) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(DrawPlot({.title = "t"}, {}), "t: nothing to draw\n");
  EXPECT_EQ(DrawPlot({.title = "t", .series = {{"s", {{1, nan}, {0, 1}}}}}, {}),
            "t: nothing to draw\n");
  EXPECT_THAT(DrawPlot({.title = "t", .series = {{"s", {{0, 1}, {5, 1}}}}}, {}),
              HasSubstr("1 point without a place"));
}

}  // namespace
}  // namespace couplingd
