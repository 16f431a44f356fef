// A history whose scores have items, made up with known truth.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "history/score_file.h"
#include "history/store.h"
#include "probes/benchmark/metrics.h"
#include "queries/import.h"

namespace couplingd {

// One run's ability on one task: at checkpoint k it is start + slope·k up to the turn, with a jump
// of its own of the deviation given. Items have two choices; the right one is ahead by ability −
// difficulty.
struct TaskTruth {
  std::string task;
  double start = 0, slope = 0, jumps = 0;
  int items = 400;
  int clusters = 0;  // 0: none
  std::vector<std::string> metrics = {"acc"};
  int turn = 1000;  // the checkpoint from which on the slope has the other sign
};

struct RunTruth {
  std::string run, family;
  double parameters = 1e8;
  std::vector<TaskTruth> tasks;
  int checkpoints = 10;
  std::string folder = "/runs";
  std::uint64_t seed = 1;  // of jumps and items' wandering; difficulties are the same for all runs
};

class ItemHistory {
 public:
  explicit ItemHistory(std::string directory) : directory_(std::move(directory)) {
    std::filesystem::remove_all(directory_);
    auto writer = HistoryWriter::Open(directory_, clock_);
    EXPECT_TRUE(writer) << writer.error().Text();
    if (writer) writer_ = *std::move(writer);
  }

  void Add(const RunTruth& truth) {
    std::mt19937_64 engine(truth.seed);
    std::normal_distribution<double> normal;
    std::vector<ImportedResult> results;
    for (int k = 1; k <= truth.checkpoints; ++k) {
      for (const TaskTruth& task : truth.tasks) {
        const int along = k <= task.turn ? k : 2 * task.turn - k;
        const double level = task.start + task.slope * along + task.jumps * normal(engine);
        results.push_back(Evaluate(truth, task, k, level, engine));
      }
    }
    const auto summary = RecordImport(*writer_, clock_, results);
    EXPECT_TRUE(summary) << summary.error().Text();
  }

  HistoryReader& reader() { return writer_->reader(); }
  HistoryWriter& writer() { return *writer_; }
  const Clock& clock() const { return clock_; }
  void Close() { writer_.reset(); }

 private:
  ImportedResult Evaluate(const RunTruth& truth, const TaskTruth& task, int k, double level,
                          std::mt19937_64& engine) {
    std::normal_distribution<double> normal;
    std::mt19937_64 fixed(std::hash<std::string>()(task.task));
    TaskPlan plan{.task = task.task, .metrics = task.metrics};
    TaskScores scores{.task = task.task};
    for (int i = 0; i < task.items; ++i) {
      const double difficulty = normal(fixed);
      const std::string cluster =
          task.clusters > 0 ? "c" + std::to_string(i % task.clusters) : std::string();
      plan.items.push_back({std::to_string(i), cluster, {{4, 4, 1, true}, {8, 9, 2, false}}});
      const double ahead = level - difficulty + 0.1 * normal(engine);
      scores.scores.push_back({{-5 + ahead, false}, {-5, false}});
    }
    ImportedResult result;
    result.source = truth.run;
    result.run = {.name = truth.run,
                  .family = truth.family,
                  .parameters = truth.parameters,
                  .tokens_per_step = 1e6};
    result.step = std::lround(100 * std::pow(1.5, k));
    result.tokens = 1e6 * static_cast<double>(result.step);
    result.checkpoint = truth.folder + "/" + truth.run + "/step" + std::to_string(result.step);
    const std::string folder = reader().ScoresDirectory();
    Evaluation& evaluation = result.evaluation;
    evaluation.plan_hash = *WritePlanFile(folder, plan);
    evaluation.scores_hash = *WriteScoreFile(folder, scores, evaluation.plan_hash);
    evaluation.key = "series-" + task.task + "-" + evaluation.scores_hash;
    evaluation.series_key = "series-" + task.task;
    evaluation.pack = task.task;
    evaluation.pack_hash = "pack-" + task.task;
    evaluation.harness = "couplingd:1";
    evaluation.finished_at = 1000 + k;
    const auto metrics = ComputeMetrics(plan, scores);
    for (const MetricResult& metric : *metrics) {
      evaluation.scores.push_back(metric.score);
    }
    return result;
  }

  const std::string directory_;
  ManualClock clock_{1000};
  std::unique_ptr<HistoryWriter> writer_;
};

}  // namespace couplingd
