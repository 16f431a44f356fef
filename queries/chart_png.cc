// PNG by Cairo. Lengths are in points of the 800 × 450 that the reader sees; two dots to the point.
#include <cairo/cairo.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <utility>

#include "base/units.h"
#include "queries/chart.h"

namespace couplingd {
namespace {

constexpr double kWidth = 800, kHeight = 450, kScale = 2;
constexpr double kLeft = 86, kRight = 722, kTop = 92, kBottom = 386;  // of the drawing
constexpr double kTitleSize = 20, kTextSize = 15;

struct Colour {
  double red, green, blue;
};
constexpr Colour kInk = {0.13, 0.13, 0.13}, kGrey = {0.42, 0.42, 0.42}, kGrid = {0.90, 0.90, 0.90};
constexpr Colour kSeriesColours[] = {
    {0, 0.447, 0.698}, {0.902, 0.624, 0}, {0, 0.620, 0.451}, {0.800, 0.475, 0.655}};
constexpr Colour kMarkColour = {0.835, 0.369, 0};

struct CairoClose {
  void operator()(cairo_t* context) const { cairo_destroy(context); }
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
};

// Text and shapes in one colour at a time.
class Pen {
 public:
  explicit Pen(cairo_t* context) : context_(context) {}

  void Use(const Colour& colour, double alpha = 1) {
    cairo_set_source_rgba(context_, colour.red, colour.green, colour.blue, alpha);
  }
  void Font(double size, bool bold = false) {
    cairo_select_font_face(context_, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(context_, size);
  }
  double WidthOf(const std::string& text) {
    cairo_text_extents_t extents;
    cairo_text_extents(context_, text.c_str(), &extents);
    return extents.x_advance;
  }
  // `anchor` 0: begins at x, 0.5: centred on it, 1: ends there.
  void Text(double x, double y, const std::string& text, double anchor = 0) {
    cairo_move_to(context_, x - anchor * WidthOf(text), y);
    cairo_show_text(context_, text.c_str());
  }
  void Upwards(double x, double y, const std::string& text) {
    cairo_save(context_);
    cairo_translate(context_, x, y);
    cairo_rotate(context_, -std::numbers::pi / 2);
    Text(0, 0, text, 0.5);
    cairo_restore(context_);
  }
  void Line(double x0, double y0, double x1, double y1, double width, double dash = 0) {
    if (dash > 0) cairo_set_dash(context_, &dash, 1, 0);
    cairo_set_line_width(context_, width);
    cairo_move_to(context_, x0, y0);
    cairo_line_to(context_, x1, y1);
    cairo_stroke(context_);
    cairo_set_dash(context_, nullptr, 0, 0);
  }
  void Box(double x0, double y0, double x1, double y1) {
    cairo_rectangle(context_, x0, y0, x1 - x0, y1 - y0);
    cairo_fill(context_);
  }
  void Ring(double x, double y, double radius, double width) {
    cairo_set_line_width(context_, width);
    cairo_arc(context_, x, y, radius, 0, 2 * std::numbers::pi);
    cairo_stroke(context_);
  }
  // A mark of its own for every series: disc, square, diamond, triangle.
  void Mark(double x, double y, std::size_t series, double size) {
    switch (series % 4) {
      case 0:
        cairo_arc(context_, x, y, size, 0, 2 * std::numbers::pi);
        break;
      case 1:
        cairo_rectangle(context_, x - 0.9 * size, y - 0.9 * size, 1.8 * size, 1.8 * size);
        break;
      default:
        cairo_move_to(context_, x, y - 1.3 * size);
        cairo_line_to(context_, x + 1.2 * size, series % 4 == 2 ? y : y + size);
        if (series % 4 == 2) cairo_line_to(context_, x, y + 1.3 * size);
        cairo_line_to(context_, x - 1.2 * size, series % 4 == 2 ? y : y + size);
        cairo_close_path(context_);
    }
    cairo_fill(context_);
  }
  cairo_t* context() const { return context_; }

 private:
  cairo_t* context_;
};

// The text, cut with an ellipsis where it is wider than that.
std::string Fitted(Pen& pen, const std::string& text, double width) {
  if (pen.WidthOf(text) <= width) return text;
  std::string cut = text;
  while (!cut.empty()) {
    do cut.pop_back();
    while (!cut.empty() && (static_cast<unsigned char>(cut.back()) & 0xc0) == 0x80);
    if (!cut.empty() && static_cast<unsigned char>(cut.back()) >= 0xc0) cut.pop_back();
    if (pen.WidthOf(cut + "…") <= width) break;
  }
  return cut + "…";
}

// Round numbers within [low, high], about `wanted` of them.
std::vector<double> RoundTicks(double low, double high, int wanted) {
  const double raw = (high - low) / wanted;
  const double unit = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * unit;
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (factor * unit >= raw) step = factor * unit;
  }
  std::vector<double> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) {
    ticks.push_back(k == 0 ? 0 : k * step);
  }
  return ticks;
}

// Values on a logarithmic axis from 10^low to 10^high: powers of ten, with their 2- and 5-folds
// where those are few, and even steps where there are none.
std::vector<double> LogTicks(double low, double high) {
  std::vector<double> ticks;
  const bool dense = high - low < 3;
  for (double decade = std::floor(low); decade <= high; ++decade) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && !dense) break;
      const double value = factor * std::pow(10, decade);
      if (std::log10(value) >= low - 1e-9 && std::log10(value) <= high + 1e-9)
        ticks.push_back(value);
    }
  }
  if (ticks.size() < 2) ticks = RoundTicks(std::pow(10, low), std::pow(10, high), 4);
  return ticks;
}

std::string YText(double value, double step, bool percent) {
  if (percent) return fmt::format("{:.{}f} %", 100 * value, step < 0.00999 ? 1 : 0);
  const int digits = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6);
  return fmt::format("{:.{}f}", value, digits);
}

class Drawing {
 public:
  Drawing(Pen& pen, const Chart& chart, std::vector<ChartSeries> series, const ChartFrame& frame)
      : pen_(pen), chart_(chart), series_(std::move(series)), frame_(frame) {}

  void Draw() {
    Header();
    YAxis();
    XAxis();
    cairo_save(pen_.context());
    cairo_rectangle(pen_.context(), kLeft, kTop, kRight - kLeft, kBottom - kTop);
    cairo_clip(pen_.context());
    Range();
    for (std::size_t s = 0; s < series_.size(); ++s) Intervals(s);
    Lines();
    for (std::size_t s = 0; s < series_.size(); ++s) Points(s);
    cairo_restore(pen_.context());
    LineLabels();
    Marks();
  }

 private:
  double X(double on_axis) const {
    const double share = (on_axis - frame_.x_low) / (frame_.x_high - frame_.x_low);
    return kLeft + kInset + share * (kRight - kLeft - 2 * kInset);
  }
  double XOf(double value) const { return X(chart_.log_x ? std::log10(value) : value); }
  double Y(double value) const {
    if (std::isinf(value)) return value > 0 ? kTop - 10 : kBottom + 10;
    const double share = (value - frame_.y_low) / (frame_.y_high - frame_.y_low);
    return std::clamp(kBottom - share * (kBottom - kTop), kTop - 10, kBottom + 10);
  }

  void Header() {
    pen_.Use(kInk);
    pen_.Font(kTitleSize, /*bold=*/true);
    pen_.Text(18, 32, Fitted(pen_, chart_.title, kWidth - 36));
    pen_.Font(kTextSize);
    double x = kLeft;
    for (std::size_t s = 0; s < series_.size(); ++s) {
      pen_.Use(kSeriesColours[s % std::size(kSeriesColours)]);
      pen_.Mark(x + 6, 53, s, 5);
      pen_.Use(kInk);
      const std::string name =
          Fitted(pen_, series_[s].name, (kWidth - kLeft) / std::ssize(series_) - 50);
      pen_.Text(x + 18, 58, name);
      x += 18 + pen_.WidthOf(name) + 26;
    }
  }

  void YAxis() {
    pen_.Font(kTextSize);
    const std::vector<double> ticks = RoundTicks(frame_.y_low, frame_.y_high, 5);
    const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
    for (const double tick : ticks) {
      pen_.Use(kGrid);
      pen_.Line(kLeft, Y(tick), kRight, Y(tick), 1);
      pen_.Use(kInk);
      pen_.Text(kLeft - 8, Y(tick) + 5, YText(tick, step, chart_.percent), 1);
    }
    pen_.Use(kInk);
    pen_.Line(kLeft, kTop, kLeft, kBottom, 1.5);
    constexpr std::size_t kSymbol = 2;  // bytes of a letter such as γ, which stands upright
    if (chart_.y_label.size() <= kSymbol) {
      pen_.Text(24, (kTop + kBottom) / 2, chart_.y_label, 0.5);
    } else {
      pen_.Upwards(22, (kTop + kBottom) / 2, Fitted(pen_, chart_.y_label, kBottom - kTop));
    }
  }

  void XAxis() {
    pen_.Use(kInk);
    pen_.Line(kLeft, kBottom, kRight, kBottom, 1.5);
    double free_from = kLeft - 30;
    const std::vector<double> ticks = chart_.log_x ? LogTicks(frame_.x_low, frame_.x_high)
                                                   : RoundTicks(frame_.x_low, frame_.x_high, 6);
    for (const double tick : ticks) {
      const double x = XOf(tick);
      const std::string label = FormatCount(tick);
      const double half = pen_.WidthOf(label) / 2;
      pen_.Line(x, kBottom, x, kBottom + 5, 1.5);
      if (x - half < free_from || x + half > kWidth - 8) continue;
      pen_.Text(x, kBottom + 22, label, 0.5);
      free_from = x + half + 14;
    }
    const std::string label = chart_.x_label == "tokens" ? "training tokens" : chart_.x_label;
    pen_.Text((kLeft + kRight) / 2, kBottom + 48, label + (chart_.log_x ? " (logarithmic)" : ""),
              0.5);
  }

  void Range() {
    if (!chart_.range) return;
    const auto end = [&](const std::optional<double>& value, double edge) {
      const bool fits = value && std::isfinite(*value) && (!chart_.log_x || *value > 0);
      return fits ? std::clamp(XOf(*value), kLeft, kRight) : edge;
    };
    pen_.Use(kMarkColour, 0.14);
    pen_.Box(end(chart_.range->low, kLeft), kTop, end(chart_.range->high, kRight), kBottom);
    pen_.Use(kMarkColour);
    const double x = XOf(chart_.range->x);
    pen_.Line(x, kTop, x, kBottom, 2, 6);
  }

  void Intervals(std::size_t s) {
    const ChartSeries& series = series_[s];
    const Colour& colour = kSeriesColours[s % std::size(kSeriesColours)];
    if (series.band && series.points.size() > 1) {
      Band(series, colour);
      return;
    }
    pen_.Use(colour);
    for (const ChartPoint& point : series.points) {
      if (!point.low && !point.high) continue;
      const double x = X(point.x);
      const double low = Y(point.low.value_or(-INFINITY)), high = Y(point.high.value_or(INFINITY));
      pen_.Line(x, low, x, high, 2);
      for (const double y : {low, high}) pen_.Line(x - 5, y, x + 5, y, 2);
    }
  }

  void Band(const ChartSeries& series, const Colour& colour) {
    cairo_t* context = pen_.context();
    const auto has = [](const ChartPoint& p) { return p.low || p.high; };
    const auto begin = std::ranges::find_if(series.points, has);
    if (begin == series.points.end()) return;
    cairo_new_path(context);
    for (const ChartPoint& point : series.points) {
      if (has(point)) cairo_line_to(context, X(point.x), Y(point.high.value_or(INFINITY)));
    }
    for (auto point = series.points.rbegin(); point != series.points.rend(); ++point) {
      if (has(*point)) cairo_line_to(context, X(point->x), Y(point->low.value_or(-INFINITY)));
    }
    cairo_close_path(context);
    pen_.Use(colour, 0.22);
    cairo_fill(context);
  }

  void Lines() {
    for (const ChartLine& line : chart_.lines) {
      pen_.Use(line.label.empty() ? Colour{0.7, 0.7, 0.7} : kGrey);
      pen_.Line(kLeft, Y(line.y), kRight, Y(line.y), line.label.empty() ? 1 : 1.8,
                line.label.empty() ? 0 : 7);
    }
  }

  // Beside the drawing, where no data is.
  void LineLabels() {
    pen_.Font(kTextSize - 1);
    pen_.Use(kGrey);
    for (const ChartLine& line : chart_.lines) {
      if (line.label.empty()) continue;
      const double y = std::clamp(Y(line.y) + (line.below ? 16 : -5), kTop + 8, kBottom - 2);
      pen_.Text(kRight + 6, y, Fitted(pen_, line.label, kWidth - kRight - 8));
    }
  }

  void Points(std::size_t s) {
    const ChartSeries& series = series_[s];
    cairo_t* context = pen_.context();
    pen_.Use(kSeriesColours[s % std::size(kSeriesColours)]);
    cairo_set_line_width(context, 2.2);
    cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND);
    cairo_new_path(context);
    for (const ChartPoint& point : series.points) cairo_line_to(context, X(point.x), Y(point.y));
    cairo_stroke(context);
    const double size = series.points.size() > 80 ? 2.5 : 4.5;
    for (const ChartPoint& point : series.points) pen_.Mark(X(point.x), Y(point.y), s, size);
  }

  // Labels stand in the strip above the drawing, one after another, with a line down to their
  // point.
  void Marks() {
    pen_.Font(kTextSize, /*bold=*/true);
    std::vector<std::pair<double, std::string>> labels;
    if (chart_.range) labels.emplace_back(XOf(chart_.range->x), chart_.range->label);
    for (const ChartMark& mark : chart_.marks) {
      const double x = XOf(mark.x);
      pen_.Use(kMarkColour);
      pen_.Line(x, kTop, x, std::max(kTop, Y(mark.y) - 10), 1.5, 3);
      pen_.Ring(x, Y(mark.y), 9, 3);
      labels.emplace_back(x, mark.label);
    }
    std::ranges::stable_sort(labels, {}, &std::pair<double, std::string>::first);
    double total = 0;
    for (const auto& [x, label] : labels) total += pen_.WidthOf(label) + 16;
    double free_from = kLeft - 60;
    pen_.Use(kMarkColour);
    for (const auto& [x, label] : labels) {
      const double width = pen_.WidthOf(label);
      const double last = kWidth - 8 - total + 16;  // so that those to come still fit
      const double begin = std::max(free_from, std::min(x - width / 2, last));
      pen_.Text(begin, kTop - 8, label);
      free_from = begin + width + 16;
      total -= width + 16;
    }
  }

  static constexpr double kInset = 12;  // between the axes' ends and the outermost points

  Pen& pen_;
  const Chart& chart_;
  const std::vector<ChartSeries> series_;
  const ChartFrame frame_;
};

cairo_status_t Append(void* text, const unsigned char* data, unsigned int length) {
  static_cast<std::string*>(text)->append(reinterpret_cast<const char*>(data), length);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

Result<std::string> DrawPng(const std::vector<Chart>& charts) {
  const std::unique_ptr<cairo_surface_t, CairoClose> surface(cairo_image_surface_create(
      CAIRO_FORMAT_RGB24, static_cast<int>(kWidth * kScale),
      static_cast<int>(kHeight * kScale * static_cast<double>(charts.size()))));
  const std::unique_ptr<cairo_t, CairoClose> context(cairo_create(surface.get()));
  cairo_scale(context.get(), kScale, kScale);
  Pen pen(context.get());
  pen.Use({1, 1, 1});
  cairo_paint(context.get());
  for (const Chart& chart : charts) {
    int left_out = 0;
    std::vector<ChartSeries> series = Drawable(chart, left_out);
    const std::optional<ChartFrame> frame = FrameOf(series, chart);
    if (!frame) return Fail(ErrorKind::kInvalidData, chart.title + ": " + chart.if_empty);
    Drawing(pen, chart, std::move(series), *frame).Draw();
    cairo_translate(context.get(), 0, kHeight);
  }
  std::string png;
  cairo_surface_flush(surface.get());
  const cairo_status_t status = cairo_surface_write_to_png_stream(surface.get(), Append, &png);
  if (cairo_status(context.get()) != CAIRO_STATUS_SUCCESS || status != CAIRO_STATUS_SUCCESS) {
    return Fail(ErrorKind::kExhausted,
                fmt::format("the chart could not be drawn: {}", cairo_status_to_string(status)));
  }
  return png;
}

}  // namespace couplingd
