// Plots in a terminal: braille dots for lines and intervals, a mark on every point; or plain ASCII.
#pragma once

#include <string>

#include "queries/chart.h"

namespace couplingd {

struct PlotSize {
  int width = 80;   // columns, labels included
  int height = 16;  // rows of the drawing
  bool ascii = false;
};

// Lines of at most `width` columns. Without a finite point, a sentence that says so. Of the chart's
// lines those without a label are drawn; ranges and marks are for pictures.
std::string DrawPlot(const Chart& chart, const PlotSize& size);

}  // namespace couplingd
