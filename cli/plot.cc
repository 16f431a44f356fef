#include "cli/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"
#include "cli/screen_text.h"

namespace couplingd {
namespace {

constexpr int kLabelWidth = 8;
const std::vector<std::string> kMarks = {"●", "○", "◆", "◇", "■", "□"};
const std::vector<std::string> kAsciiMarks = {"*", "o", "x", "+", "#", "@"};

// Cells of a drawing, each of 2 × 4 dots in braille, 1 × 1 in ASCII, with marks on top.
class Canvas {
 public:
  Canvas(int columns, int rows, bool ascii)
      : columns_(columns),
        rows_(rows),
        ascii_(ascii),
        dots_(static_cast<std::size_t>(columns * rows), 0),
        texts_(static_cast<std::size_t>(columns * rows)) {}

  int width() const { return ascii_ ? columns_ : columns_ * 2; }
  int height() const { return ascii_ ? rows_ : rows_ * 4; }

  // `glyph` is what ASCII shows for the dot.
  void Dot(int x, int y, char glyph) {
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    if (ascii_) {
      std::string& text = texts_[Index(x, y)];
      if (text.empty()) text = glyph;
      return;
    }
    static constexpr unsigned char kBits[4][2] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    dots_[Index(x / 2, y / 4)] |= kBits[y % 4][x % 2];
  }

  void Mark(int x, int y, const std::string& mark) {
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    texts_[ascii_ ? Index(x, y) : Index(x / 2, y / 4)] = mark;
  }

  std::string Row(int row) const {
    std::string text;
    for (int column = 0; column < columns_; ++column) {
      const std::size_t i = Index(column, row);
      if (!texts_[i].empty()) {
        text += texts_[i];
      } else if (dots_[i]) {
        const unsigned value = 0x2800u + dots_[i];
        text +=
            {static_cast<char>(0xe0 | value >> 12), static_cast<char>(0x80 | (value >> 6 & 0x3f)),
             static_cast<char>(0x80 | (value & 0x3f))};
      } else {
        text += ' ';
      }
    }
    return text.erase(text.find_last_not_of(' ') + 1);
  }

 private:
  std::size_t Index(int column, int row) const {
    return static_cast<std::size_t>(row * columns_ + column);
  }

  const int columns_, rows_;
  const bool ascii_;
  std::vector<unsigned char> dots_;
  std::vector<std::string> texts_;
};

class Drawing {
 public:
  Drawing(Canvas& canvas, const ChartFrame& frame) : canvas_(canvas), frame_(frame) {}

  int X(double x) const { return Place(x, frame_.x_low, frame_.x_high, canvas_.width()); }
  int Y(double y) const {
    return canvas_.height() - 1 - Place(y, frame_.y_low, frame_.y_high, canvas_.height());
  }

  void Horizontal(double y) {
    for (int x = 0; x < canvas_.width(); x += 4) canvas_.Dot(x, Y(y), '-');
  }
  void Interval(const ChartPoint& point) {
    const double low = std::max(point.low.value_or(frame_.y_low), frame_.y_low);
    const double high = std::min(point.high.value_or(frame_.y_high), frame_.y_high);
    for (int y = Y(high); y <= Y(low); ++y) canvas_.Dot(X(point.x), y, '|');
  }
  void Line(const ChartPoint& from, const ChartPoint& to) {
    const int x0 = X(from.x), y0 = Y(from.y), x1 = X(to.x), y1 = Y(to.y);
    const int steps = std::max(std::abs(x1 - x0), std::abs(y1 - y0));
    for (int i = 1; i < steps; ++i) {
      const double t = static_cast<double>(i) / steps;
      canvas_.Dot(static_cast<int>(std::lround(x0 + t * (x1 - x0))),
                  static_cast<int>(std::lround(y0 + t * (y1 - y0))), '.');
    }
  }
  void Mark(const ChartPoint& point, const std::string& mark) {
    canvas_.Mark(X(point.x), Y(point.y), mark);
  }

 private:
  static int Place(double value, double low, double high, int cells) {
    return static_cast<int>(std::lround((value - low) / (high - low) * (cells - 1)));
  }

  Canvas& canvas_;
  const ChartFrame frame_;
};

std::string YLabel(double value, bool percent) {
  return percent ? fmt::format("{:.1f}%", 100 * value) : fmt::format("{:.3g}", value);
}

std::string XLabel(double value, bool log_x) {
  return FormatCount(log_x ? std::pow(10, value) : value);
}

// The labels of the axis below the drawing: its ends and its middle.
std::string XAxis(const ChartFrame& frame, bool log_x, int columns) {
  std::string line(static_cast<std::size_t>(columns), ' ');
  const auto put = [&](const std::string& label, int center) {
    const int last = std::max(0, columns - static_cast<int>(label.size()));
    const int at = std::clamp(center - static_cast<int>(label.size()) / 2, 0, last);
    line.replace(static_cast<std::size_t>(at), label.size(), label);
  };
  put(XLabel((frame.x_low + frame.x_high) / 2, log_x), columns / 2);
  put(XLabel(frame.x_low, log_x), 0);
  put(XLabel(frame.x_high, log_x), columns);
  return line;
}

}  // namespace

std::string DrawPlot(const Chart& whole, const PlotSize& size) {
  int left_out = 0;
  Chart chart = whole;
  std::erase_if(chart.lines, [](const ChartLine& line) { return !line.label.empty(); });
  chart.range.reset();
  const std::vector<ChartSeries> series = Drawable(chart, left_out);
  const std::optional<ChartFrame> frame = FrameOf(series, chart);
  if (!frame) return fmt::format("{}: {}\n", chart.title, chart.if_empty);
  const int columns = std::max(20, size.width - kLabelWidth - 2);
  Canvas canvas(columns, size.height, size.ascii);
  Drawing drawing(canvas, *frame);
  for (const ChartLine& line : chart.lines) drawing.Horizontal(line.y);
  const auto& marks = size.ascii ? kAsciiMarks : kMarks;
  for (const ChartSeries& one : series) {
    for (std::size_t i = 0; i < one.points.size(); ++i) {
      if (one.points[i].low || one.points[i].high) drawing.Interval(one.points[i]);
      if (i) drawing.Line(one.points[i - 1], one.points[i]);
    }
  }
  std::string legend;
  for (std::size_t s = 0; s < series.size(); ++s) {
    const std::string& mark = marks[s % marks.size()];
    for (const ChartPoint& point : series[s].points) drawing.Mark(point, mark);
    legend += fmt::format("{}{} {}", s ? "   " : "", mark, series[s].name);
  }
  std::string text = size.ascii ? chart.title.substr(0, static_cast<std::size_t>(size.width))
                                : Shorten(chart.title, static_cast<std::size_t>(size.width));
  text += "\n";
  const std::string bar = size.ascii ? "|" : "│";
  for (int row = 0; row < size.height; ++row) {
    const double share = static_cast<double>(size.height - 1 - row) / (size.height - 1);
    const bool labelled = row == 0 || row == size.height - 1 || row == size.height / 2;
    const std::string label =
        labelled ? YLabel(frame->y_low + share * (frame->y_high - frame->y_low), chart.percent)
                 : "";
    text += fmt::format("{:>{}} {}{}\n", label, kLabelWidth, bar, canvas.Row(row));
  }
  text += std::string(kLabelWidth + 1, ' ') + (size.ascii ? "+" : "└");
  for (int i = 0; i < columns; ++i) text += size.ascii ? "-" : "─";
  text += fmt::format("\n{}{}\n", std::string(kLabelWidth + 2, ' '),
                      XAxis(*frame, chart.log_x, columns));
  text += fmt::format("{}{}{}   y: {}   {}\n", std::string(kLabelWidth + 2, ' '), chart.x_label,
                      chart.log_x ? " (log)" : "", chart.y_label, legend);
  if (left_out > 0) {
    text += fmt::format("{}{} point{} without a place on this axis left out\n",
                        std::string(kLabelWidth + 2, ' '), left_out, left_out == 1 ? "" : "s");
  }
  return text;
}

}  // namespace couplingd
