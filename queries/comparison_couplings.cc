#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "coupling/comparison.h"
#include "coupling/critical_scale.h"
#include "coupling/item_statistics.h"
#include "coupling/local_coupling.h"
#include "queries/analysis.h"
#include "queries/comparison_lines.h"

namespace couplingd {
namespace {

ComparedLine LineOf(const char* kind, const AxisSeries& series) {
  return {.kind = kind, .what = series.AxesText(), .level = series.axes.level};
}

std::string Both(const std::string& a, const std::string& why_a, const std::string& b,
                 const std::string& why_b) {
  std::string text;
  if (!why_a.empty()) text = fmt::format("{}: {}", a, why_a);
  if (!why_b.empty()) text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", b, why_b);
  return text;
}

// How much narrower the interval would have to be, as an amount of data.
std::string WhatWouldNarrow(const ComparedLine& line, double difference, Interval interval,
                            const char* noun) {
  const double half = difference > 0 ? difference - interval.low : interval.high - difference;
  const double factor = DetectionFactor(line.level, kComparisonPower) / NormalCritical(line.level);
  const double times = std::pow(factor * half / difference, 2);
  if (!(times < 100)) return "no practical amount of data would settle a difference this small";
  return fmt::format("about {:.1f} times the {} would settle it", times, noun);
}

void Judge(ComparedLine& line, const Estimated& a, const Estimated& b, bool is_more_better,
           const char* noun) {
  const DifferenceTest test = CompareEstimates(a, b, line.level);
  const double difference = b.value - a.value;
  line.difference = difference;
  line.low = test.interval.low;
  line.high = test.interval.high;
  line.p = test.p;
  if (test.interval.low > 0 || test.interval.high < 0) {
    line.verdict = (test.interval.low > 0) == is_more_better ? "better" : "worse";
  } else if (std::isinf(test.interval.low) || std::isinf(test.interval.high)) {
    line.reason = "an interval has no end: a longer window or more items are needed";
  } else {
    line.reason = WhatWouldNarrow(line, difference, test.interval, noun);
  }
}

Result<ComparedLine> CompareGamma(const AxisSeries& a, const AxisSeries& b,
                                  const CouplingOptions& options) {
  const CouplingEstimate of_a = TRY(CouplingOverSteps(a, options)).estimate;
  CouplingOptions other = options;
  ++other.seed;  // drawn independently, which the comparison assumes
  const CouplingEstimate of_b = TRY(CouplingOverSteps(b, other)).estimate;
  ComparedLine line = LineOf("gamma", a);
  line.a = of_a.gamma;
  line.b = of_b.gamma;
  if (!of_a.gamma || !of_b.gamma) {
    line.reason = Both(a.run, of_a.gamma ? "" : of_a.reason, b.run, of_b.gamma ? "" : of_b.reason);
    return line;
  }
  line.n = std::min(of_a.n, of_b.n);
  line.method = of_a.method;
  Judge(line, {*of_a.gamma, *of_a.low, *of_a.high}, {*of_b.gamma, *of_b.low, *of_b.high}, true,
        "items and checkpoints");
  return line;
}

// A turn that at least half of the replicates make; the median of fewer says little.
constexpr double kLikely = 0.5;

const Forecast* OfMethod(const std::vector<Forecast>& forecasts, const std::string& method) {
  const auto found = std::ranges::find_if(forecasts, [&](const Forecast& forecast) {
    return forecast.method == method && forecast.value && forecast.low && forecast.high &&
           *forecast.low > 0 && std::isfinite(*forecast.high) &&
           forecast.p_crossing.value_or(0) >= kLikely;
  });
  return found == forecasts.end() ? nullptr : &*found;
}

Estimated InLog(const Forecast& forecast) {
  return {std::log(*forecast.value), std::log(*forecast.low), std::log(*forecast.high)};
}

// By the first method that gives a value for both; as a ratio. The turn is one from tax to bonus
// (the U-shape's always is), so that the earlier one is better.
Result<ComparedLine> CompareTurns(const char* kind, const AxisSeries& a, const std::string& name_a,
                                  const AxisSeries& b, const std::string& name_b, CouplingOver over,
                                  const ForecastOptions& options) {
  const std::vector<Forecast> of_a = TRY(ForecastSignChange(a, over, options));
  const std::vector<Forecast> of_b = TRY(ForecastSignChange(b, over, options));
  ComparedLine line = LineOf(kind, a);
  for (const Forecast& forecast : of_a) {
    const Forecast* one = OfMethod(of_a, forecast.method);
    const Forecast* other = OfMethod(of_b, forecast.method);
    if (!one || !other) continue;
    line.a = one->value;
    line.b = other->value;
    line.n = std::min(one->n, other->n);
    line.method = forecast.method;
    Judge(line, InLog(*one), InLog(*other), false,
          over == CouplingOver::kSteps ? "checkpoints and items" : "sizes and items");
    for (auto* member : {&line.difference, &line.low, &line.high}) *member = std::exp(**member);
    return line;
  }
  const auto why = [](const std::vector<Forecast>& forecasts) {
    double likeliest = 0;
    for (const Forecast& forecast : forecasts) {
      likeliest = std::max(likeliest, forecast.p_crossing.value_or(0));
    }
    if (likeliest >= kLikely || forecasts.empty()) return std::string();
    return likeliest > 0 ? fmt::format("no turn is likely (P at most {:.2f})", likeliest)
                         : forecasts[0].reason;
  };
  line.reason = Both(name_a, why(of_a), name_b, why(of_b));
  if (line.reason.empty()) line.reason = "no method gives a turn for both";
  return line;
}

const AxisSeries* OfRun(const std::vector<AxisSeries>& all, const std::string& run) {
  const auto found = std::ranges::find(all, run, &AxisSeries::run);
  return found == all.end() ? nullptr : &*found;
}

AxisSeries UpTo(AxisSeries series, std::int64_t step) {
  std::erase_if(series.observations,
                [&](const AxisObservation& at) { return at.step > static_cast<double>(step); });
  return series;
}

Result<std::vector<AxisSeries>> SeriesOf(HistoryReader& history, const AxisPair& pair,
                                         const std::string& run, const std::string& family) {
  HistoryFilter filter;
  filter.run = run;
  filter.family = family;
  return CollectSeries(history, pair, filter);
}

}  // namespace

Result<std::vector<ComparedLine>> CompareCouplings(HistoryReader& history, const Run& a,
                                                   const Run& b, const MatchedCheckpoints& match,
                                                   const CouplingConfig& config,
                                                   const std::vector<AxisPair>& pairs) {
  const CouplingOptions options = OptionsOf(config);
  const ForecastOptions forecast{.replicates = std::min(config.replicates, 1000)};
  std::vector<ComparedLine> lines;
  for (const AxisPair& pair : pairs) {
    const auto all_a = TRY(SeriesOf(history, pair, a.name, ""));
    const auto all_b = TRY(SeriesOf(history, pair, b.name, ""));
    const AxisSeries* whole_a = OfRun(all_a, a.name);
    const AxisSeries* whole_b = OfRun(all_b, b.name);
    if (!whole_a || !whole_b) continue;
    const AxisSeries of_a = UpTo(*whole_a, match.step_a), of_b = UpTo(*whole_b, match.step_b);
    lines.push_back(TRY(CompareGamma(of_a, of_b, options)));
    lines.push_back(
        TRY(CompareTurns("D_c", of_a, a.name, of_b, b.name, CouplingOver::kSteps, forecast)));
    if (a.family == b.family) continue;
    const auto sizes_a = FamilySeries(TRY(SeriesOf(history, pair, "", a.family)), config.match);
    const auto sizes_b = FamilySeries(TRY(SeriesOf(history, pair, "", b.family)), config.match);
    if (!sizes_a || !sizes_b) continue;
    lines.push_back(TRY(CompareTurns("N_c", sizes_a->series, a.family, sizes_b->series, b.family,
                                     CouplingOver::kScale, forecast)));
  }
  return lines;
}

}  // namespace couplingd
