#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"
#include "queries/chart.h"
#include "queries/item_reader.h"
#include "records/finding_fields.h"
#include "records/metric_names.h"

namespace couplingd {
namespace {

constexpr double kNormal975 = 1.959963984540054;

UnixMillis TransitionTime(const Alert& alert) {
  return alert.state == AlertState::kFiring ? alert.starts_at : alert.ends_at;
}

// What was known then of the run, or of the family where the alert is about sizes.
HistoryFilter KnownThen(const Alert& alert) {
  HistoryFilter filter;
  const std::string run = LabelOf(alert.finding, "run");
  (run.empty() ? filter.family : filter.run) = run.empty() ? alert.finding.run : run;
  filter.until = TransitionTime(alert);
  filter.generation = 0;
  return filter;
}

template <typename T>
void KeepNewestGeneration(std::vector<T>& rows) {
  int newest = 0;
  for (const T& row : rows) newest = std::max(newest, row.generation);
  std::erase_if(rows, [&](const T& row) { return row.generation != newest; });
}

// The point it fired with and, once it is over, the newest one. `place` is the finding's value that
// the x axis shows.
void MarkPoints(const Alert& alert, const std::string& place, const ChartSeries& series,
                Chart& chart) {
  const std::optional<double> fired = ValueOf(alert.finding, place);
  const std::optional<double> step = ValueOf(alert.finding, "step");
  for (const ChartPoint& point : series.points) {
    if (!fired || std::abs(point.x - *fired) > 1e-9 * std::abs(*fired)) continue;
    chart.marks.push_back(
        {point.x, point.y, step ? fmt::format("fired at step {:.0f}", *step) : "fired"});
  }
  if (alert.state != AlertState::kResolved || series.points.empty()) return;
  const ChartPoint& last = series.points.back();
  if (chart.marks.empty() || chart.marks.back().x != last.x) {
    chart.marks.push_back({last.x, last.y, "resolved"});
  }
}

Result<std::vector<CouplingEstimate>> CouplingsOf(HistoryReader& history, const Alert& alert,
                                                  CouplingOver over) {
  std::vector<CouplingEstimate> estimates = TRY(history.Couplings(KnownThen(alert)));
  const std::string axes = LabelOf(alert.finding, "axes");
  std::erase_if(estimates, [&](const CouplingEstimate& one) {
    return one.axes != axes || one.over != over || !one.gamma;
  });
  KeepNewestGeneration(estimates);
  std::ranges::stable_sort(estimates, {}, &CouplingEstimate::at);
  return estimates;
}

std::string PairText(const std::string& axes) {
  const std::size_t comma = axes.find(',');
  if (comma == std::string::npos) return axes;
  return axes.substr(comma + 1) + " over " + axes.substr(0, comma);
}

PhaseBounds BoundsOf(const Finding& finding) {
  PhaseBounds bounds;
  bounds.tax = ValueOf(finding, "tax_bound").value_or(bounds.tax);
  bounds.bonus = ValueOf(finding, "bonus_bound").value_or(bounds.bonus);
  return bounds;
}

std::string IntervalName(double level) {
  return fmt::format("γ with its {:g} % interval", level * 100);
}

Result<std::optional<Chart>> PhaseChart(HistoryReader& history, const Alert& alert) {
  const Finding& finding = alert.finding;
  const bool over_scale = LabelOf(finding, "over") == ToString(CouplingOver::kScale);
  const auto estimates =
      TRY(CouplingsOf(history, alert, over_scale ? CouplingOver::kScale : CouplingOver::kSteps));
  if (estimates.empty()) return std::nullopt;
  Chart chart = GammaChart(fmt::format("{}: {}", finding.run, PairText(LabelOf(finding, "axes"))),
                           estimates, BoundsOf(finding));
  if (!over_scale) chart.series[0].name = IntervalName(estimates[0].level);
  MarkPoints(alert, chart.x_label, chart.series.back(), chart);
  return chart;
}

Result<std::optional<Chart>> SignChangeChart(HistoryReader& history, const Alert& alert) {
  const Finding& finding = alert.finding;
  const bool of_family = LabelOf(finding, "run").empty();
  const auto estimates =
      TRY(CouplingsOf(history, alert, of_family ? CouplingOver::kScale : CouplingOver::kSteps));
  const std::optional<double> value = ValueOf(finding, "value");
  if (estimates.empty() || !value) return std::nullopt;
  const bool has_tokens = std::ranges::all_of(
      estimates, [](const CouplingEstimate& one) { return one.tokens.has_value(); });
  if (!of_family && !has_tokens) return std::nullopt;  // D_c is a number of tokens
  Chart chart = GammaChart(fmt::format("{}: {}", finding.run, PairText(LabelOf(finding, "axes"))),
                           estimates, BoundsOf(finding));
  if (!of_family) chart.series[0].name = IntervalName(estimates[0].level);
  const std::string quantity = LabelOf(finding, "quantity");
  const std::optional<double> low = ValueOf(finding, "low"), high = ValueOf(finding, "high");
  std::string label = fmt::format("{} = {}", quantity, FormatCount(*value));
  if (low && high) label += fmt::format(" [{}, {}]", FormatCount(*low), FormatCount(*high));
  chart.range = {*value, low, high, std::move(label)};
  return chart;
}

// The trajectory of one metric, one series.
Result<std::vector<ScoreRow>> ScoresOf(HistoryReader& history, const Alert& alert,
                                       const std::string& metric) {
  const std::optional<TaskMetric> parsed = TaskMetric::Parse(metric);
  if (!parsed) return std::vector<ScoreRow>();
  HistoryFilter filter = KnownThen(alert);
  filter.task = parsed->task;
  filter.metric = parsed->metric;
  std::vector<ScoreRow> rows = TRY(history.Scores(filter));
  std::erase_if(rows, [](const ScoreRow& row) { return row.step <= 0; });
  KeepNewestGeneration(rows);
  KeepCommonestSeries(rows);
  std::ranges::stable_sort(rows, {}, &ScoreRow::step);
  return rows;
}

bool HaveTokens(const std::vector<ScoreRow>& rows) {
  return std::ranges::all_of(rows, [](const ScoreRow& row) { return row.tokens.has_value(); });
}

ChartSeries SeriesOf(const std::string& name, const std::vector<ScoreRow>& rows, bool tokens) {
  ChartSeries series{.name = name};
  for (const ScoreRow& row : rows) {
    ChartPoint point{tokens ? *row.tokens : static_cast<double>(row.step), row.score.value};
    if (row.score.stderr_value) {
      point.low = point.y - kNormal975 * *row.score.stderr_value;
      point.high = point.y + kNormal975 * *row.score.stderr_value;
    }
    series.points.push_back(point);
  }
  return series;
}

Result<std::optional<Chart>> RegressionChart(HistoryReader& history, const Alert& alert) {
  const Finding& finding = alert.finding;
  const std::string metric = LabelOf(finding, "metric");
  const std::vector<ScoreRow> rows = TRY(ScoresOf(history, alert, metric));
  if (rows.empty()) return std::nullopt;
  const bool tokens = HaveTokens(rows);
  Chart chart{.title = fmt::format("{}: {}", finding.run, metric),
              .x_label = tokens ? "tokens" : "step",
              .y_label = "score",
              .percent = IsFractionMetric(rows[0].score.metric)};
  chart.series = {SeriesOf(metric + " with 95 % intervals", rows, tokens)};
  if (const auto best = ValueOf(finding, "best")) chart.lines = {{*best, "best level"}};
  MarkPoints(alert, chart.x_label, chart.series[0], chart);
  return chart;
}

Result<std::optional<Chart>> AxisChart(HistoryReader& history, const Alert& alert) {
  const Finding& finding = alert.finding;
  const std::string axes = LabelOf(finding, "axes"), spent = LabelOf(finding, "metric");
  const std::string first = axes.substr(0, axes.find(','));
  const std::string other = spent == first ? axes.substr(axes.find(',') + 1) : first;
  const std::vector<ScoreRow> rows = TRY(ScoresOf(history, alert, spent));
  const std::vector<ScoreRow> beside = TRY(ScoresOf(history, alert, other));
  if (rows.empty()) return std::nullopt;
  const bool tokens = HaveTokens(rows) && HaveTokens(beside);
  Chart chart{.title = fmt::format("{}: {}", finding.run, spent),
              .x_label = tokens ? "tokens" : "step",
              .y_label = "score",
              .percent = true};
  chart.series = {SeriesOf(spent, rows, tokens)};
  if (!beside.empty()) chart.series.push_back(SeriesOf(other, beside, tokens));
  const bool at_ceiling = LabelOf(finding, "cause") == "ceiling";
  if (const auto end = ValueOf(finding, at_ceiling ? "ceiling" : "chance")) {
    chart.lines = {{*end, at_ceiling ? "ceiling" : "chance"}};
  }
  MarkPoints(alert, chart.x_label, chart.series[0], chart);
  return chart;
}

}  // namespace

Result<std::optional<Chart>> AlertChart(HistoryReader& history, const Alert& alert) {
  if (alert.is_test) return std::nullopt;
  const std::string& kind = alert.finding.kind;
  if (kind == "phase") return PhaseChart(history, alert);
  if (kind == "sign_change") return SignChangeChart(history, alert);
  if (kind == "score_regression") return RegressionChart(history, alert);
  if (kind == "axis_spent") return AxisChart(history, alert);
  return std::nullopt;
}

Result<std::string> AlertChartPng(HistoryReader& history, const Alert& alert) {
  const std::optional<Chart> chart = TRY(AlertChart(history, alert));
  if (!chart) return std::string();
  return DrawPng({*chart});
}

}  // namespace couplingd
