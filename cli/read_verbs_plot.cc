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

PlotSeries GammaSeries(const Rows& rows, std::string_view place) {
  PlotSeries series{.name = "γ with its interval"};
  for (const JsonValue* row : rows) {
    const auto x = NumberOf(*row, place), y = NumberOf(*row, "gamma");
    if (x && y) series.points.push_back({*x, *y, NumberOf(*row, "low"), NumberOf(*row, "high")});
  }
  std::ranges::sort(series.points, {}, &PlotPoint::x);
  return series;
}

std::string GammaPlot(const std::string& title, const Rows& rows, std::string_view place,
                      std::string_view x_label, int width, bool ascii) {
  const PlotSeries gamma = GammaSeries(rows, place);
  if (gamma.points.empty()) {
    const std::string reason = TextOf(*rows.back(), "reason");
    return fmt::format("{}: no γ to draw{}{}\n", title, reason.empty() ? "" : ": ",
                       Printable(reason));
  }
  return DrawPlot({gamma}, {.title = title,
                            .x_label = std::string(x_label),
                            .y_label = "γ",
                            .width = width,
                            .height = 12,
                            .ascii = ascii,
                            .reference = 0});
}

}  // namespace

std::string PlotHistory(const JsonValue& rows, int width, bool ascii) {
  std::string text;
  for (const auto& [title, of_run] : Panels(rows)) {
    const std::string_view place = PlaceKey(of_run, "step");
    const std::string axes = TextOf(*of_run[0], "axes");
    const bool percent = IsFractionMetric(axes.substr(axes.rfind('.') + 1));
    const std::vector<PlotSeries> scores = {ScoreSeries(of_run, place, "reasoning"),
                                            ScoreSeries(of_run, place, "truthfulness")};
    text += DrawPlot(scores, {.title = title,
                              .x_label = std::string(place),
                              .y_label = "score",
                              .width = width,
                              .height = 14,
                              .ascii = ascii,
                              .percent = percent});
    text += "\n" + GammaPlot("γ of " + title, of_run, place, place, width, ascii) + "\n";
  }
  return text;
}

std::string PlotCoupling(const JsonValue& rows, int width, bool ascii) {
  std::string text;
  for (const auto& [title, of_run] : Panels(rows)) {
    const bool over_scale = TextOf(*of_run[0], "over") == "scale";
    const std::string_view place = over_scale ? "at" : PlaceKey(of_run, "at");
    const std::string_view label = over_scale ? "parameters" : place == "at" ? "step" : "tokens";
    text += GammaPlot("γ of " + title, of_run, place, label, width, ascii) + "\n";
  }
  return text;
}

}  // namespace couplingd
