#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "cli/cells.h"
#include "cli/plot.h"
#include "cli/read_verbs.h"
#include "cli/screen_text.h"
#include "records/metric_names.h"

namespace couplingd {
namespace {

constexpr double kNormal975 = 1.959963984540054;
constexpr int kScoreRows = 14, kGammaRows = 12;

using Rows = std::vector<const JsonValue*>;

// Rows of one chart, by run (or family) and axes.
std::map<std::string, Rows> Panels(const JsonValue& rows) {
  std::map<std::string, Rows> panels;
  for (const JsonValue& row : rows.GetArray()) {
    const std::string run = TextOf(row, "run");
    std::string title =
        fmt::format("{} · {}", run.empty() ? TextOf(row, "family") : run, TextOf(row, "axes"));
    const double generation = NumberOf(row, "generation").value_or(1);
    if (generation > 1) title += fmt::format(" · generation {:.0f}", generation);
    panels[Printable(title)].push_back(&row);
  }
  return panels;
}

// Tokens where every row has them, else the step.
std::string_view PlaceKey(const Rows& rows) {
  const bool all = std::ranges::all_of(
      rows, [](const JsonValue* row) { return NumberOf(*row, "tokens").has_value(); });
  return all ? "tokens" : "step";
}

ChartSeries ScoreSeries(const Rows& rows, std::string_view place, std::string_view key) {
  ChartSeries series{.name = std::string(key)};
  for (const JsonValue* row : rows) {
    const auto x = NumberOf(*row, place), y = NumberOf(*row, key);
    if (!x || !y) continue;
    ChartPoint point{*x, *y};
    if (const auto error = NumberOf(*row, std::string(key) + "_stderr")) {
      point.low = *y - kNormal975 * *error;
      point.high = *y + kNormal975 * *error;
    }
    series.points.push_back(point);
  }
  return series;
}

Chart ScoreChart(const std::string& title, const Rows& rows) {
  const std::string_view place = PlaceKey(rows);
  const std::string axes = TextOf(*rows[0], "axes");
  const std::string first = axes.substr(0, axes.find(','));
  Chart chart{.title = title, .x_label = std::string(place), .y_label = "score"};
  chart.percent = IsFractionMetric(first.substr(first.rfind('.') + 1)) &&
                  IsFractionMetric(axes.substr(axes.rfind('.') + 1));
  chart.series = {ScoreSeries(rows, place, "reasoning"), ScoreSeries(rows, place, "truthfulness")};
  return chart;
}

CouplingEstimate EstimateOf(const JsonValue& row) {
  CouplingEstimate estimate;
  estimate.over = TextOf(row, "over") == ToString(CouplingOver::kScale) ? CouplingOver::kScale
                                                                        : CouplingOver::kSteps;
  estimate.at = NumberOf(row, "at").value_or(NumberOf(row, "step").value_or(NAN));
  estimate.tokens = NumberOf(row, "tokens");
  estimate.gamma = NumberOf(row, "gamma");
  // An end that is missing where γ is given is none (docs/json.md).
  estimate.low = NumberOf(row, "low").value_or(-INFINITY);
  estimate.high = NumberOf(row, "high").value_or(INFINITY);
  estimate.level = NumberOf(row, "level").value_or(estimate.level);
  estimate.n = static_cast<int>(NumberOf(row, "n").value_or(0));
  return estimate;
}

Chart GammaOf(const std::string& title, const Rows& rows, const PhaseBounds& bounds) {
  std::vector<CouplingEstimate> estimates;
  for (const JsonValue* row : rows) estimates.push_back(EstimateOf(*row));
  Chart chart = GammaChart("γ of " + title, estimates, bounds);
  const std::string reason = Printable(TextOf(*rows.back(), "reason"));
  chart.if_empty = fmt::format("no γ to draw{}{}", reason.empty() ? "" : ": ", reason);
  return chart;
}

}  // namespace

std::vector<Chart> HistoryCharts(const JsonValue& rows, const PhaseBounds& bounds) {
  std::vector<Chart> charts;
  for (const auto& [title, of_run] : Panels(rows)) {
    charts.push_back(ScoreChart(title, of_run));
    charts.push_back(GammaOf(title, of_run, bounds));
  }
  return charts;
}

std::vector<Chart> CouplingCharts(const JsonValue& rows, const PhaseBounds& bounds) {
  std::vector<Chart> charts;
  for (const auto& [title, of_run] : Panels(rows)) charts.push_back(GammaOf(title, of_run, bounds));
  return charts;
}

std::string PlotCharts(const std::vector<Chart>& charts, int width, bool ascii) {
  std::string text;
  for (const Chart& chart : charts) {
    const int height = chart.y_label == "score" ? kScoreRows : kGammaRows;
    text += DrawPlot(chart, {.width = width, .height = height, .ascii = ascii}) + "\n";
  }
  return text;
}

}  // namespace couplingd
