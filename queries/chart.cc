#include "queries/chart.h"

#include <algorithm>
#include <cmath>

namespace couplingd {
namespace {

constexpr double kMaxIntervalStretch = 1.5;
constexpr double kMaxRangeStretch = 1;  // of a forecast beyond the points, in their own span

double OnAxis(const Chart& chart, double x) { return chart.log_x ? std::log10(x) : x; }

// What such a point says is nearly nothing.
bool IsUnbounded(const ChartPoint& point) {
  return (point.low && std::isinf(*point.low)) || (point.high && std::isinf(*point.high));
}

// A forecast's place, and as much of its interval as does not push the points together.
void Include(const Chart& chart, std::vector<double>& xs) {
  if (!chart.range || !(chart.range->x > 0 || !chart.log_x)) return;
  xs.push_back(OnAxis(chart, chart.range->x));
  const auto [low, high] = std::ranges::minmax(xs);
  const double stretch = kMaxRangeStretch * (high - low);
  for (const std::optional<double>& end : {chart.range->low, chart.range->high}) {
    if (!end || !std::isfinite(*end) || (chart.log_x && *end <= 0)) continue;
    xs.push_back(std::clamp(OnAxis(chart, *end), low - stretch, high + stretch));
  }
}

}  // namespace

std::vector<ChartSeries> Drawable(const Chart& chart, int& left_out) {
  std::vector<ChartSeries> drawable = chart.series;
  for (ChartSeries& one : drawable) {
    left_out += static_cast<int>(std::erase_if(one.points, [&](const ChartPoint& point) {
      return !std::isfinite(point.x) || !std::isfinite(point.y) || (chart.log_x && point.x <= 0);
    }));
    for (ChartPoint& point : one.points) point.x = OnAxis(chart, point.x);
  }
  return drawable;
}

std::optional<ChartFrame> FrameOf(const std::vector<ChartSeries>& drawable, const Chart& chart) {
  std::vector<double> xs, ys, unsure;
  for (const ChartSeries& one : drawable) {
    for (const ChartPoint& point : one.points) {
      xs.push_back(point.x);
      (IsUnbounded(point) ? unsure : ys).push_back(point.y);
    }
  }
  if (xs.empty()) return std::nullopt;
  if (ys.empty()) ys = unsure;
  for (const ChartMark& mark : chart.marks) ys.push_back(mark.y);
  for (const ChartLine& line : chart.lines) ys.push_back(line.y);
  Include(chart, xs);
  const auto [x_low, x_high] = std::ranges::minmax(xs);
  auto [y_low, y_high] = std::ranges::minmax(ys);
  const double range = std::max(y_high - y_low, 1e-3 + 0.02 * std::abs(y_high));
  const double floor = y_low - kMaxIntervalStretch * range,
               ceiling = y_high + kMaxIntervalStretch * range;
  for (const ChartSeries& one : drawable) {
    for (const ChartPoint& point : one.points) {
      if (point.low && std::isfinite(*point.low))
        y_low = std::min(y_low, std::max(floor, *point.low));
      if (point.high && std::isfinite(*point.high))
        y_high = std::max(y_high, std::min(ceiling, *point.high));
    }
  }
  const double margin = 0.03 * std::max(y_high - y_low, range);
  const double x_margin = x_high > x_low ? 0 : 0.5;
  return ChartFrame{x_low - x_margin, x_high + x_margin, y_low - margin, y_high + margin};
}

Chart GammaChart(const std::string& title, const std::vector<CouplingEstimate>& estimates,
                 const PhaseBounds& bounds) {
  constexpr int kNeighbours = 2;
  Chart chart{.title = title, .y_label = "γ"};
  const bool over_scale = !estimates.empty() && estimates[0].over == CouplingOver::kScale;
  const bool has_tokens = std::ranges::all_of(
      estimates, [](const CouplingEstimate& one) { return one.tokens.has_value(); });
  chart.x_label = over_scale ? "parameters" : has_tokens ? "tokens" : "step";
  ChartSeries own{.name = over_scale ? "γ between neighbouring sizes" : "γ with its interval",
                  .band = !over_scale};
  ChartSeries whole{.name = "over all sizes"};
  for (const CouplingEstimate& one : estimates) {
    if (!one.gamma) continue;
    const double x = !over_scale && has_tokens ? *one.tokens : one.at;
    ChartPoint point{x, *one.gamma, one.low, one.high};
    (over_scale && one.n > kNeighbours ? whole : own).points.push_back(point);
  }
  for (ChartSeries* series : {&own, &whole}) {
    if (series->points.empty()) continue;
    std::ranges::stable_sort(series->points, {}, &ChartPoint::x);
    chart.series.push_back(std::move(*series));
  }
  chart.lines = {{0, ""}, {bounds.bonus, "bonus"}, {bounds.tax, "tax", /*below=*/true}};
  return chart;
}

}  // namespace couplingd
