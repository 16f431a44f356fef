// The items behind stored scores: from rows of the history to the metric of every item.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "history/store.h"
#include "probes/benchmark/metrics.h"
#include "records/score.h"

namespace couplingd {

using RunGeneration = std::pair<std::string, int>;

// Leaves of every run generation and metric the rows of the commonest series key only: another
// tokenizer, pack, scorer or dtype is never one series.
void KeepCommonestSeries(std::vector<ScoreRow>& rows);

// Plans are read once and kept.
class ItemReader {
 public:
  explicit ItemReader(std::string scores_directory) : directory_(std::move(scores_directory)) {}

  // Keeps what Items gives, up to 64 MiB, for callers that ask for the same rows again and again.
  void KeepItems() { keeps_items_ = true; }

  // The metrics named, of the items of that row's evaluation. kNotFound where only aggregates are
  // known; else what is wrong with its plan or score file.
  Result<std::vector<MetricResult>> Compute(const ScoreRow& row,
                                            const std::vector<std::string>& metrics);
  Result<const TaskPlan*> Plan(const ScoreRow& row);

  // The row's own metric per item; empty where Compute fails.
  std::vector<double> Items(const ScoreRow& row);
  // Of every item; empty where there are none.
  std::vector<std::string> Clusters(const ScoreRow& row);
  // The score of guessing: the mean share of true choices. Meaningful for accuracies only.
  std::optional<double> Chance(const ScoreRow& row);

 private:
  const std::string directory_;
  std::map<std::string, Result<TaskPlan>> plans_;
  bool keeps_items_ = false;
  std::size_t kept_values_ = 0;
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<double>> kept_;
};

}  // namespace couplingd
