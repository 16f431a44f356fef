// A chart as data. One layout feeds the PNG here and the plot in the terminal (cli/plot.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "history/store.h"
#include "records/alert.h"

namespace couplingd {

struct ChartPoint {
  double x = 0;
  double y = 0;
  std::optional<double> low, high;  // of the interval; absent: none; infinite: to the edge
};

struct ChartSeries {
  std::string name;
  std::vector<ChartPoint> points;  // in order of x
  bool band = false;               // the intervals as an area, not as a bar at each point
};

// A level that values are read against.
struct ChartLine {
  double y = 0;
  std::string label;   // empty: a thin line
  bool below = false;  // the label stands below the line
};

// A place on the x axis with its interval, such as a forecast.
struct ChartRange {
  double x = 0;
  std::optional<double> low, high;
  std::string label;
};

// A point that the chart is about.
struct ChartMark {
  double x = 0, y = 0;
  std::string label;
};

struct Chart {
  std::string title;
  std::string x_label, y_label;
  bool log_x = true;     // points at x ≤ 0 are left out
  bool percent = false;  // of the y labels
  std::vector<ChartSeries> series;
  std::vector<ChartLine> lines;
  std::optional<ChartRange> range;
  std::vector<ChartMark> marks;
  std::string if_empty = "nothing to draw";  // said where there is no point
};

// Drawable part of a chart: x as it lies on the axis (log10 where that is logarithmic).
struct ChartFrame {
  double x_low = 0, x_high = 0, y_low = 0, y_high = 0;
};

// The series with finite points only, x taken to log10 where the axis is logarithmic; adds to
// `left_out` how many points have no place.
std::vector<ChartSeries> Drawable(const Chart& chart, int& left_out);

// The frame of drawable series. It is of the points: an interval that reaches further than 1.5
// times their range is cut at the edge, and so is a point whose interval has no end, where there
// are others. Absent without a point.
std::optional<ChartFrame> FrameOf(const std::vector<ChartSeries>& drawable, const Chart& chart);

// PNG of 1600 × 900 dots per chart, for 800 × 450 on a phone; several stand one below another. The
// same charts give the same bytes on one machine. Colours are those of M. Okabe and K. Ito, and
// every series has its own mark. kInvalidData where nothing can be drawn, kExhausted without
// memory.
Result<std::string> DrawPng(const std::vector<Chart>& charts);

// γ of one run (or over the sizes of one family) with its interval and the bounds of the phases;
// `estimates` are of one generation and axis pair.
Chart GammaChart(const std::string& title, const std::vector<CouplingEstimate>& estimates,
                 const PhaseBounds& bounds);

// What an alert of kind phase, sign_change, score_regression or axis_spent rests on, as it was
// known at the alert's own transition, so that it is the same chart whenever it is drawn. Absent
// for other kinds, and where history holds nothing to draw any more.
Result<std::optional<Chart>> AlertChart(HistoryReader& history, const Alert& alert);

// The same as PNG; empty where there is nothing to draw.
Result<std::string> AlertChartPng(HistoryReader& history, const Alert& alert);

}  // namespace couplingd
