#include "queries/item_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "history/score_file.h"

namespace couplingd {

void KeepCommonestSeries(std::vector<ScoreRow>& rows) {
  using Metric = std::tuple<std::string, int, std::string, std::string>;
  const auto metric_of = [](const ScoreRow& row) {
    return Metric{row.run, row.generation, row.score.task, row.score.metric};
  };
  std::map<Metric, std::map<std::string, int>> keys;
  for (const ScoreRow& row : rows) ++keys[metric_of(row)][row.series_key];
  std::erase_if(rows, [&](const ScoreRow& row) {
    const auto& counts = keys[metric_of(row)];
    const auto commonest =
        std::ranges::max_element(counts, {}, [](const auto& c) { return c.second; });
    return row.series_key != commonest->first;
  });
}

Result<const TaskPlan*> ItemReader::Plan(const ScoreRow& row) {
  if (row.plan_hash.empty() || row.scores_hash.empty()) {
    return Fail(ErrorKind::kNotFound,
                fmt::format("{} step {}: of {} only aggregates are known", row.run, row.step,
                            row.score.task),
                "evaluate the checkpoint here, or import the samples beside the results");
  }
  auto found = plans_.find(row.plan_hash);
  if (found == plans_.end()) {
    found = plans_.emplace(row.plan_hash, ReadPlanFile(directory_, row.plan_hash)).first;
  }
  if (!found->second) return std::unexpected(found->second.error());
  return &*found->second;
}

Result<std::vector<MetricResult>> ItemReader::Compute(const ScoreRow& row,
                                                      const std::vector<std::string>& metrics) {
  const TaskPlan* plan = TRY(Plan(row));
  return ComputeMetrics(*plan, TRY(ReadScoreFile(directory_, row.scores_hash)), metrics);
}

std::vector<double> ItemReader::Items(const ScoreRow& row) {
  constexpr std::size_t kMostKept = (64u << 20) / sizeof(double);
  const std::tuple key(row.scores_hash, row.plan_hash, row.score.metric);
  if (const auto found = kept_.find(key); found != kept_.end()) return found->second;
  auto metrics = Compute(row, {row.score.metric});
  std::vector<double> items =
      metrics ? std::move(metrics->front().per_item) : std::vector<double>();
  if (!keeps_items_ || items.empty()) return items;
  if (kept_values_ + items.size() > kMostKept) {
    kept_.clear();
    kept_values_ = 0;
  }
  kept_values_ += items.size();
  kept_.emplace(key, items);
  return items;
}

std::vector<std::string> ItemReader::Clusters(const ScoreRow& row) {
  std::vector<std::string> clusters;
  const Result<const TaskPlan*> plan = Plan(row);
  if (!plan) return clusters;
  bool any = false;
  for (const ItemInfo& item : (*plan)->items) {
    clusters.push_back(item.cluster);
    any |= !item.cluster.empty();
  }
  return any ? clusters : std::vector<std::string>();
}

std::optional<double> ItemReader::Chance(const ScoreRow& row) {
  const Result<const TaskPlan*> plan = Plan(row);
  if (!plan || !row.score.metric.starts_with("acc") || (*plan)->items.empty()) return std::nullopt;
  double sum = 0;
  for (const ItemInfo& item : (*plan)->items) {
    if (item.choices.size() < 2) return std::nullopt;
    const auto is_true = std::ranges::count_if(item.choices, &ChoiceInfo::is_true);
    sum += static_cast<double>(is_true) / static_cast<double>(item.choices.size());
  }
  return sum / static_cast<double>((*plan)->items.size());
}

}  // namespace couplingd
