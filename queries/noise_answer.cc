#include "queries/noise_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "base/json.h"
#include "coupling/correlation.h"
#include "coupling/item_statistics.h"
#include "queries/parameters.h"
#include "records/metric_names.h"

namespace couplingd {
namespace {

constexpr double kLevel = 0.95, kPower = 0.8;

using MetricKey =
    std::tuple<std::string, int, std::string, std::string>;  // run, generation, task, metric

struct NoiseRow {
  MetricTrajectory seen;
  std::optional<ItemMean> newest;  // of the newest checkpoint's items
  Result<StepNoise> noise = StepNoise{};
  TrendChange change;
  std::optional<double> snr;
  std::string with;  // the other axis of its pair
  std::optional<Correlation> correlation;
  std::optional<double>
      spread;  // largest difference between the newest scores of the family's runs

  const ScoreRow& Last() const { return seen.rows.back(); }
};

std::string Amount(double value, std::string_view metric) {
  return IsFractionMetric(metric) ? fmt::format("{:.2f} points", 100 * value)
                                  : fmt::format("{:.3g}", value);
}

// The smallest true difference between two single checkpoints that a test finds.
double Smallest(const StepNoise& noise) {
  return DetectionFactor(kLevel, kPower) * std::sqrt(2) * noise.Deviation();
}

bool ItemsLimit(const StepNoise& noise) {
  return noise.item_variance >= noise.deviation * noise.deviation;
}

std::string WhatHalvesIt(const NoiseRow& row) {
  const StepNoise& noise = *row.noise;
  const double total = std::pow(noise.Deviation(), 2);
  const double steps = noise.deviation * noise.deviation;
  const double left = total / 4 - steps;  // for the items
  if (ItemsLimit(noise) && row.seen.items > 0 && left > 0) {
    return fmt::format("about {:.0f} items (now {}) would halve it",
                       std::ceil(row.seen.items * noise.item_variance / left), row.seen.items);
  }
  return ItemsLimit(noise)
             ? "more items and averaging neighbouring checkpoints would lessen it"
             : "averaging 4 neighbouring checkpoints would halve it, more items would not";
}

std::string Conclusion(const NoiseRow& row, const std::vector<NoiseRow>& all) {
  if (!row.noise) return row.noise.error().message;
  const std::string& metric = row.Last().score.metric;
  std::string text = fmt::format("two checkpoints must differ by {} to be told apart; {}",
                                 Amount(Smallest(*row.noise), metric), WhatHalvesIt(row));
  if (row.seen.items == 0) {
    text +=
        "; without items it is not known how much the checkpoints' errors have in common, so "
        "that checkpoint noise is understated";
  }
  if (std::abs(row.change.change) < 1.96 * row.change.standard_error) {
    text += "; it did not move beyond its noise";
  }
  for (const NoiseRow& other : all) {
    const bool is_soft = other.Last().run == row.Last().run &&
                         other.Last().generation == row.Last().generation &&
                         other.Last().score.task == row.Last().score.task &&
                         other.Last().score.metric == "log_odds" && metric != "log_odds";
    if (is_soft && other.snr && row.snr && *other.snr > 1.2 * *row.snr && *row.snr > 0) {
      text +=
          fmt::format("; log_odds shows {:.1f} times its signal over noise", *other.snr / *row.snr);
    }
  }
  return text;
}

void AddSpreads(std::vector<NoiseRow>& rows) {
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<double>> scores;
  const auto key_of = [](const NoiseRow& row) {
    return std::tuple{row.Last().family, row.Last().score.task, row.Last().score.metric};
  };
  for (const NoiseRow& row : rows) scores[key_of(row)].push_back(row.Last().score.value);
  for (NoiseRow& row : rows) {
    const auto [low, high] = std::ranges::minmax(scores[key_of(row)]);
    if (scores[key_of(row)].size() > 1) row.spread = high - low;
  }
}

void AddCorrelations(std::vector<NoiseRow>& rows, const std::vector<AxisPair>& pairs) {
  const auto find = [&](const NoiseRow& like, const TaskMetric& axis) {
    return std::ranges::find_if(rows, [&](const NoiseRow& row) {
      return row.Last().run == like.Last().run && row.Last().generation == like.Last().generation &&
             row.Last().score.task == axis.task && row.Last().score.metric == axis.metric;
    });
  };
  for (NoiseRow& row : rows) {
    for (const AxisPair& pair : pairs) {
      if (TaskMetric{row.Last().score.task, row.Last().score.metric} != pair.truthfulness) continue;
      const auto other = find(row, pair.reasoning);
      if (other == rows.end() || !row.noise || !other->noise) continue;
      if (other->seen.trajectory.positions != row.seen.trajectory.positions) continue;
      row.with = pair.reasoning.Text();
      const auto found = PearsonCorrelation(other->noise->residuals, row.noise->residuals, kLevel);
      if (found) row.correlation = *found;
    }
  }
}

void WriteRow(JsonWriter& json, const NoiseRow& row, const std::vector<NoiseRow>& all) {
  const ScoreRow& last = row.Last();
  const bool is_known = row.noise.has_value();
  const auto known = [&](double value) { return is_known ? std::optional(value) : std::nullopt; };
  const StepNoise noise = row.noise.value_or(StepNoise{});
  json.BeginObject().Field("run", last.run).Field("family", last.family);
  json.Field("generation", last.generation).Field("task", last.score.task);
  json.Field("metric", last.score.metric);
  json.Field("checkpoints", static_cast<std::int64_t>(row.seen.rows.size()));
  json.Field("first_step", row.seen.rows.front().step).Field("last_step", last.step);
  json.Field("value", last.score.value).Field("n", last.score.n);
  json.Field("clusters",
             row.newest ? std::optional<std::int64_t>(row.newest->clusters) : std::nullopt);
  json.Field("item_noise",
             row.newest ? std::optional(row.newest->standard_error) : last.score.stderr_value);
  json.Field("step_noise", known(noise.deviation)).Field("step_noise_low", known(noise.low));
  json.Field("step_noise_high", known(noise.high)).Field("noise", known(noise.Deviation()));
  json.Field("change", known(row.change.change));
  json.Field("change_stderr", known(row.change.standard_error)).Field("snr", row.snr);
  json.Field("smallest", known(Smallest(noise)));
  json.Field("limit", is_known
                          ? std::optional(std::string(ItemsLimit(noise) ? "items" : "checkpoints"))
                          : std::nullopt);
  json.Field("spread", row.spread);
  json.Field("spread_snr", row.spread && is_known && noise.Deviation() > 0
                               ? std::optional(*row.spread / noise.Deviation())
                               : std::nullopt);
  json.Field("with", row.with.empty() ? std::nullopt : std::optional(row.with));
  const bool correlates = row.correlation.has_value();
  const Correlation correlation = row.correlation.value_or(Correlation{});
  const auto given = [&](double value) { return correlates ? std::optional(value) : std::nullopt; };
  json.Field("correlation", given(correlation.r));
  json.Field("correlation_low", given(correlation.interval.low));
  json.Field("correlation_high", given(correlation.interval.high));
  json.Field("reason", Conclusion(row, all)).EndObject();
}

NoiseRow MakeRow(ItemReader& items, std::vector<ScoreRow> rows, std::size_t most) {
  NoiseRow row{.seen = TrajectoryOf(items, std::move(rows), most)};
  if (row.seen.items > 0) {
    const auto newest = MeanOfItems(items.Items(row.Last()), row.seen.clusters);
    if (newest) row.newest = *newest;
  }
  row.noise = MeasureStepNoise(row.seen.trajectory, kLevel);
  if (!row.noise) return row;
  row.change = MeasureTrendChange(row.seen.trajectory, row.noise->deviation);
  const double deviation = row.noise->Deviation();
  if (deviation > 0) row.snr = std::abs(row.change.change) / deviation;
  return row;
}

}  // namespace

MetricTrajectory TrajectoryOf(ItemReader& items, std::vector<ScoreRow> rows, std::size_t most) {
  std::erase_if(rows, [](const ScoreRow& row) { return row.step <= 0; });
  std::ranges::sort(rows, {}, &ScoreRow::step);
  if (rows.size() > most) rows.erase(rows.begin(), rows.end() - static_cast<std::ptrdiff_t>(most));
  MetricTrajectory seen{.rows = std::move(rows)};
  const auto places = static_cast<Eigen::Index>(seen.rows.size());
  seen.has_tokens = std::ranges::all_of(
      seen.rows, [](const ScoreRow& row) { return row.tokens && *row.tokens > 0; });
  NoisyTrajectory& trajectory = seen.trajectory;
  trajectory = {Eigen::VectorXd(places), Eigen::VectorXd(places),
                Eigen::MatrixXd::Zero(places, places)};
  std::vector<std::vector<double>> values;
  for (Eigen::Index k = 0; k < places; ++k) {
    const ScoreRow& row = seen.rows[static_cast<std::size_t>(k)];
    trajectory.positions[k] =
        std::log10(seen.has_tokens ? *row.tokens : static_cast<double>(row.step));
    trajectory.scores[k] = row.score.value;
    const double error = row.score.stderr_value.value_or(0);
    trajectory.covariance(k, k) = error * error;
    if (row.plan_hash == seen.rows[0].plan_hash) values.push_back(items.Items(row));
  }
  const bool has_items =
      values.size() == seen.rows.size() && std::ranges::all_of(values, [&](const auto& of) {
        return !of.empty() && of.size() == values[0].size();
      });
  if (!has_items || values.empty()) return seen;
  seen.clusters = items.Clusters(seen.rows[0]);
  seen.items = static_cast<int>(values[0].size());
  std::vector<const std::vector<double>*> columns;
  for (const auto& of : values) columns.push_back(&of);
  const ItemUnits units = SumByUnit(columns, seen.clusters);
  trajectory.covariance = UnitCovariance(units.sums, units.sums, seen.items);
  return seen;
}

Result<std::string> AnswerNoise(const QueryContext& context) {
  const HistoryFilter filter = TRY(ParseFilter(context.parameters, context.clock));
  std::vector<ScoreRow> scores = TRY(context.history.Scores(filter));
  KeepCommonestSeries(scores);
  std::map<MetricKey, std::vector<ScoreRow>> by_metric;
  for (ScoreRow& row : scores) {
    if (row.step <= 0) continue;
    const MetricKey key{row.run, row.generation, row.score.task, row.score.metric};
    by_metric[key].push_back(std::move(row));
  }
  ItemReader items(context.history.ScoresDirectory());
  const auto most = static_cast<std::size_t>(2 * context.config.coupling.window);
  std::vector<NoiseRow> rows;
  for (auto& [key, of] : by_metric) rows.push_back(MakeRow(items, std::move(of), most));
  AddSpreads(rows);
  AddCorrelations(rows, context.config.axes);
  JsonWriter json;
  json.BeginArray();
  for (const NoiseRow& row : rows) WriteRow(json, row, rows);
  return json.EndArray().Text();
}

}  // namespace couplingd
