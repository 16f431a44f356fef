// Plots in a terminal: braille dots for lines and intervals, a mark on every point; or plain ASCII.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace couplingd {

struct PlotPoint {
  double x = 0;
  double y = 0;
  std::optional<double> low, high;  // of the interval; absent: none
};

struct PlotSeries {
  std::string name;
  std::vector<PlotPoint> points;  // in order of x
};

struct PlotOptions {
  std::string title;
  std::string x_label, y_label;
  int width = 80;     // columns, labels included
  int height = 16;    // rows of the drawing
  bool log_x = true;  // points at x ≤ 0 are left out, and said so
  bool ascii = false;
  bool percent = false;             // of the y labels
  std::optional<double> reference;  // a horizontal line, such as γ = 0
};

// Lines of at most `width` columns. Without a finite point, a sentence that says so. An interval
// that reaches beyond four times the range of the points is cut at the edge, as the drawing is of
// the points.
std::string DrawPlot(const std::vector<PlotSeries>& series, const PlotOptions& options);

}  // namespace couplingd
