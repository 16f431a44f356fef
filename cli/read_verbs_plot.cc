#include <fmt/format.h>

#include <algorithm>
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

using Rows = std::vector<const JsonValue*>;

// Rows of one panel, by run (or family) and axes.
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
std::string_view PlaceKey(const Rows& rows, std::string_view otherwise) {
  const bool all = std::ranges::all_of(
      rows, [](const JsonValue* row) { return NumberOf(*row, "tokens").has_value(); });
  return all ? "tokens" : otherwise;
}

PlotSeries ScoreSeries(const Rows& rows, std::string_view place, std::string_view key) {
  PlotSeries series{.name = std::string(key)};
  for (const JsonValue* row : rows) {
    const auto x = NumberOf(*row, place), y = NumberOf(*row, key);
    if (!x || !y) continue;
    PlotPoint point{*x, *y};
    if (const auto error = NumberOf(*row, std::string(key) + "_stderr")) {
      point.low = *y - kNormal975 * *error;
      point.high = *y + kNormal975 * *error;
    }
    series.points.push_back(point);
  }
  return series;
}

PlotSeries GammaSeries(std::string name, const Rows& rows, std::string_view place) {
  PlotSeries series{.name = std::move(name)};
  for (const JsonValue* row : rows) {
    const auto x = NumberOf(*row, place), y = NumberOf(*row, "gamma");
    if (x && y) series.points.push_back({*x, *y, NumberOf(*row, "low"), NumberOf(*row, "high")});
  }
  std::ranges::sort(series.points, {}, &PlotPoint::x);
  return series;
}

std::string GammaPlot(const std::string& title, const std::vector<PlotSeries>& series,
                      const Rows& rows, std::string_view x_label, int width, bool ascii) {
  if (std::ranges::all_of(series, [](const PlotSeries& one) { return one.points.empty(); })) {
    const std::string reason = TextOf(*rows.back(), "reason");
    return fmt::format("{}: no γ to draw{}{}\n", title, reason.empty() ? "" : ": ",
                       Printable(reason));
  }
  return DrawPlot(series, {.title = title,
                           .x_label = std::string(x_label),
                           .y_label = "γ",
                           .width = width,
                           .height = 12,
                           .ascii = ascii,
                           .reference = 0});
}

std::string PlotOverSteps(const std::string& title, const Rows& rows, std::string_view step_key,
                          int width, bool ascii) {
  const std::string_view place = PlaceKey(rows, step_key);
  return GammaPlot("γ of " + title, {GammaSeries("γ with its interval", rows, place)}, rows,
                   place == "tokens" ? "tokens" : "step", width, ascii);
}

// γ between neighbouring sizes, placed between them, and γ over all sizes, placed at the largest.
std::string PlotOverScale(const std::string& title, const Rows& rows, int width, bool ascii) {
  constexpr double kNeighbours = 2;
  Rows pairs, whole;
  for (const JsonValue* row : rows) {
    (NumberOf(*row, "n").value_or(0) > kNeighbours ? whole : pairs).push_back(row);
  }
  return GammaPlot("γ of " + title,
                   {GammaSeries("γ between neighbouring sizes", pairs, "at"),
                    GammaSeries("over all sizes", whole, "at")},
                   rows, "parameters", width, ascii);
}

}  // namespace

std::string PlotHistory(const JsonValue& rows, int width, bool ascii) {
  std::string text;
  for (const auto& [title, of_run] : Panels(rows)) {
    const std::string_view place = PlaceKey(of_run, "step");
    const std::string axes = TextOf(*of_run[0], "axes");
    const std::string first = axes.substr(0, axes.find(','));
    const bool percent = IsFractionMetric(first.substr(first.rfind('.') + 1)) &&
                         IsFractionMetric(axes.substr(axes.rfind('.') + 1));
    const std::vector<PlotSeries> scores = {ScoreSeries(of_run, place, "reasoning"),
                                            ScoreSeries(of_run, place, "truthfulness")};
    text += DrawPlot(scores, {.title = title,
                              .x_label = std::string(place),
                              .y_label = "score",
                              .width = width,
                              .height = 14,
                              .ascii = ascii,
                              .percent = percent});
    text += "\n" + PlotOverSteps(title, of_run, "step", width, ascii) + "\n";
  }
  return text;
}

std::string PlotCoupling(const JsonValue& rows, int width, bool ascii) {
  std::string text;
  for (const auto& [title, of_run] : Panels(rows)) {
    const bool over_scale = TextOf(*of_run[0], "over") == "scale";
    text += over_scale ? PlotOverScale(title, of_run, width, ascii)
                       : PlotOverSteps(title, of_run, "at", width, ascii);
    text += "\n";
  }
  return text;
}

}  // namespace couplingd
