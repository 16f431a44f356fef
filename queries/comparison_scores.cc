#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "coupling/comparison.h"
#include "coupling/item_statistics.h"
#include "queries/comparison_lines.h"
#include "queries/noise_answer.h"
#include "records/metric_names.h"

namespace couplingd {
namespace {

using Metric = std::pair<std::string, std::string>;  // task, metric
using RowsByMetric = std::map<Metric, std::vector<ScoreRow>>;

// Per checkpoint: its step, and where it lies.
std::map<std::int64_t, std::optional<double>> PlacesOf(const std::vector<ScoreRow>& rows) {
  std::map<std::int64_t, std::optional<double>> places;
  for (const ScoreRow& row : rows) {
    if (row.step > 0) places[row.step] = row.tokens;
  }
  return places;
}

RowsByMetric UpTo(const std::vector<ScoreRow>& rows, std::int64_t step) {
  RowsByMetric metrics;
  for (const ScoreRow& row : rows) {
    if (row.step <= step) metrics[{row.score.task, row.score.metric}].push_back(row);
  }
  return metrics;
}

const ScoreRow* AtStep(const std::vector<ScoreRow>& rows, std::int64_t step) {
  const auto found = std::ranges::find(rows, step, &ScoreRow::step);
  return found == rows.end() ? nullptr : &*found;
}

bool IsImported(const ScoreRow& row) { return row.series_key.starts_with("imported:"); }

std::string WhyIncomparable(const ScoreRow& a, const ScoreRow& b) {
  if (IsImported(a) != IsImported(b) || (IsImported(a) && a.series_key != b.series_key)) {
    return fmt::format("scored by different protocols ({} and {})",
                       IsImported(a) ? a.series_key : "couplingd",
                       IsImported(b) ? b.series_key : "couplingd");
  }
  if (!a.pack_hash.empty() && !b.pack_hash.empty() && a.pack_hash != b.pack_hash) {
    return "scored with different item packs";
  }
  return "";
}

// The metric of the items that both have, in one order.
struct CommonItems {
  std::vector<double> a, b;
  std::vector<std::string> clusters;
};

CommonItems PairItems(ItemReader& items, const ScoreRow& a, const ScoreRow& b) {
  CommonItems common{items.Items(a), items.Items(b), items.Clusters(a)};
  if (common.a.empty() || common.b.empty()) return {};
  if (a.plan_hash == b.plan_hash) return common;
  const auto plan_a = items.Plan(a), plan_b = items.Plan(b);
  std::unordered_map<std::string, std::size_t> index_b;
  for (std::size_t i = 0; i < (*plan_b)->items.size(); ++i) index_b[(*plan_b)->items[i].id] = i;
  CommonItems paired;
  for (std::size_t i = 0; i < (*plan_a)->items.size(); ++i) {
    const auto found = index_b.find((*plan_a)->items[i].id);
    if (found == index_b.end()) continue;
    paired.a.push_back(common.a[i]);
    paired.b.push_back(common.b[found->second]);
    if (!common.clusters.empty()) paired.clusters.push_back(common.clusters[i]);
  }
  return paired;
}

void AddReason(ComparedLine& line, const std::string& more) {
  if (!more.empty()) line.reason += (line.reason.empty() ? "" : "; ") + more;
}

// The sampling error of the difference. False where nothing is known of it.
bool MeasureItems(ItemReader& items, const ScoreRow& a, const ScoreRow& b, ComparedLine& line,
                  NoisyDifference& difference) {
  const CommonItems common = PairItems(items, a, b);
  if (const auto paired = DifferenceOnItems(common.a, common.b, common.clusters)) {
    const ItemMean& mean = paired->difference;
    difference.value = mean.value;
    difference.item_variance = mean.standard_error * mean.standard_error;
    difference.item_dof = std::max(1, mean.clusters - 1);
    difference.items = mean.items;
    line.n = mean.items;
    line.method = mean.clusters < mean.items
                      ? fmt::format("paired items, {} clusters", mean.clusters)
                      : "paired items";
    if (a.score.n && mean.items < *a.score.n) {
      AddReason(line, fmt::format("{} of {} items are common", mean.items, *a.score.n));
    }
    return true;
  }
  difference.value = b.score.value - a.score.value;
  if (!a.score.stderr_value || !b.score.stderr_value) return false;
  difference.item_variance =
      std::pow(*a.score.stderr_value, 2) + std::pow(*b.score.stderr_value, 2);
  if (a.score.n && b.score.n) {
    line.n = std::min(*a.score.n, *b.score.n);
    difference.items = static_cast<int>(*line.n);
  }
  line.method = "standard errors";
  return true;
}

// The checkpoint noise of both; what is not known of it goes into the reason.
void MeasureSteps(ItemReader& items, const std::vector<ScoreRow>& a, const std::vector<ScoreRow>& b,
                  std::size_t most, ComparedLine& line, NoisyDifference& difference) {
  double parts = 0;
  std::string unknown;
  for (const auto* rows : {&a, &b}) {
    const MetricTrajectory seen = TrajectoryOf(items, *rows, most);
    const auto noise = MeasureStepNoise(seen.trajectory, line.level);
    if (!noise) {
      unknown = rows->back().run;
      continue;
    }
    const double variance = noise->deviation * noise->deviation;
    difference.step_variance += variance;
    parts += variance * variance / noise->dof;
  }
  if (parts > 0) difference.step_dof = std::pow(difference.step_variance, 2) / parts;
  if (difference.step_variance > 0) line.method += " + checkpoint noise";
  if (!unknown.empty()) {
    AddReason(line, fmt::format("the checkpoint noise of {} is unknown: fewer than {} checkpoints",
                                unknown, kFewestForStepNoise));
  }
}

ComparedLine CompareMetric(ItemReader& items, const Metric& metric, const std::vector<ScoreRow>& a,
                           const std::vector<ScoreRow>& b, const ScoreRow& at_a,
                           const ScoreRow& at_b, std::size_t most) {
  ComparedLine line{.kind = "score", .what = metric.first + "." + metric.second};
  line.a = at_a.score.value;
  line.b = at_b.score.value;
  if (const std::string why = WhyIncomparable(at_a, at_b); !why.empty()) {
    line.reason = why + ": not compared";
    return line;
  }
  NoisyDifference difference;
  const bool has_error = MeasureItems(items, at_a, at_b, line, difference);
  line.difference = difference.value;
  if (!has_error) {
    line.reason = "neither items nor standard errors are known";
    return line;
  }
  MeasureSteps(items, a, b, most, line, difference);
  const DifferenceTest test = TestDifference(difference, line.level);
  line.low = test.interval.low;
  line.high = test.interval.high;
  line.p = test.p;
  if (*line.low > 0 || *line.high < 0) {
    const bool is_better = (*line.low > 0) != IsLowerBetter(metric.second);
    line.verdict = is_better ? "better" : "worse";
  } else if (difference.value == 0 && difference.item_variance == 0) {
    AddReason(line, "both answer every item alike");
  } else {
    AddReason(line, WhatSettlesDifference(difference, line.level, kComparisonPower));
  }
  return line;
}

}  // namespace

Result<MatchedCheckpoints> MatchCheckpoints(const std::vector<ScoreRow>& a,
                                            const std::vector<ScoreRow>& b,
                                            std::optional<double> at, double tolerance) {
  const auto places_a = PlacesOf(a), places_b = PlacesOf(b);
  const auto has_tokens = [](const auto& places) {
    return std::ranges::all_of(places, [](const auto& p) { return p.second && *p.second > 0; });
  };
  const bool by_tokens = has_tokens(places_a) && has_tokens(places_b);
  const auto place = [&](const auto& p) {
    return by_tokens ? *p.second : static_cast<double>(p.first);
  };
  std::optional<MatchedCheckpoints> best, nearest;
  double best_key = 0;
  for (const auto& one : places_a) {
    for (const auto& other : places_b) {
      const double x = place(one), y = place(other);
      const MatchedCheckpoints match{
          by_tokens ? "tokens" : "steps",  one.first, other.first, one.second, other.second,
          std::abs(x - y) / std::max(x, y)};
      if (!nearest || match.apart < nearest->apart) nearest = match;
      if (match.apart > tolerance) continue;
      // Of equally good places the pair that is least apart.
      const double key = (at ? -std::abs(std::log(x / *at)) : std::log(x)) - match.apart;
      if (!best || key > best_key) {
        best = match;
        best_key = key;
      }
    }
  }
  if (best) return *best;
  if (!nearest) return Fail(ErrorKind::kNotFound, "one of the runs has no scored checkpoint");
  return Fail(ErrorKind::kNotFound,
              fmt::format("no two checkpoints lie within {:.1f} % of each other in {}; the nearest "
                          "are steps {} and {}, {:.1f} % apart",
                          100 * tolerance, nearest->by, nearest->step_a, nearest->step_b,
                          100 * nearest->apart),
              "allow more with --tolerance");
}

Result<std::vector<ComparedLine>> CompareScores(HistoryReader& history,
                                                const std::vector<ScoreRow>& a,
                                                const std::vector<ScoreRow>& b,
                                                const MatchedCheckpoints& match, std::size_t most) {
  ItemReader items(history.ScoresDirectory());
  const RowsByMetric metrics_a = UpTo(a, match.step_a), metrics_b = UpTo(b, match.step_b);
  std::vector<ComparedLine> lines;
  for (const auto& [metric, rows_a] : metrics_a) {
    const auto found = metrics_b.find(metric);
    if (found == metrics_b.end()) continue;
    const ScoreRow* at_a = AtStep(rows_a, match.step_a);
    const ScoreRow* at_b = AtStep(found->second, match.step_b);
    if (!at_a || !at_b) continue;
    lines.push_back(CompareMetric(items, metric, rows_a, found->second, *at_a, *at_b, most));
  }
  return lines;
}

int AdjustForAll(std::vector<ComparedLine>& lines) {
  std::vector<double> p;
  for (const ComparedLine& line : lines) {
    if (line.p) p.push_back(*line.p);
  }
  const std::vector<double> adjusted = HolmAdjusted(p);
  std::size_t next = 0;
  for (ComparedLine& line : lines) {
    if (line.p) line.p_holm = adjusted[next++];
  }
  return static_cast<int>(p.size());
}

}  // namespace couplingd
