#include "queries/score_evidence.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "alerts/rules.h"
#include "base/hash.h"
#include "coupling/effective_dimension.h"
#include "coupling/item_statistics.h"
#include "coupling/score_drop.h"
#include "queries/item_reader.h"
#include "queries/noise_answer.h"
#include "records/metric_names.h"

namespace couplingd {
namespace {

using std::chrono::milliseconds;

constexpr double kLevel = 0.95;
constexpr int kLevelWidth = 3;         // neighbouring checkpoints in a level
constexpr std::size_t kForNoise = 32;  // checkpoints that tell the noise
constexpr std::size_t kNewestEvaluations = 32;
constexpr int kFewestRunsToDraw = 5;  // fewer: blocks of checkpoints are drawn instead

using Rows = std::vector<ScoreRow>;  // one metric of one run generation, in order of steps
using RowsByRun = std::map<std::string, Rows>;

Result<RowsByRun> RowsOf(HistoryReader& history, const std::string& metric, HistoryFilter filter) {
  const std::optional<TaskMetric> parsed = TaskMetric::Parse(metric);
  if (!parsed) return RowsByRun();
  filter.task = parsed->task;
  filter.metric = parsed->metric;
  filter.generation = 0;
  Rows all = TRY(history.Scores(filter));
  KeepCommonestSeries(all);
  std::map<std::string, int> newest;
  for (const ScoreRow& row : all) {
    int& generation = newest.try_emplace(row.run, row.generation).first->second;
    generation = std::max(generation, row.generation);
  }
  RowsByRun by_run;
  for (ScoreRow& row : all) {
    if (row.step <= 0 || row.generation != newest[row.run]) continue;
    by_run[row.run].push_back(std::move(row));
  }
  for (auto& [run, rows] : by_run) std::ranges::stable_sort(rows, {}, &ScoreRow::step);
  return by_run;
}

Rows Slice(const Rows& rows, std::size_t first, std::size_t end) {
  return {rows.begin() + static_cast<std::ptrdiff_t>(first),
          rows.begin() + static_cast<std::ptrdiff_t>(end)};
}

// The comparison of rows[at] with what came before it; absent where too little did.
std::optional<ScoreDrop> DropAt(ItemReader& items, const Rows& rows, std::size_t at) {
  if (at < static_cast<std::size_t>(kFewestForDrop)) return std::nullopt;
  const ScoreRow& judged = rows[at];
  const auto noise =
      MeasureStepNoise(TrajectoryOf(items, Slice(rows, 0, at), kForNoise).trajectory, kLevel);
  if (!noise) return std::nullopt;
  const bool lower_is_better = IsLowerBetter(judged.score.metric);
  std::vector<double> earlier;
  for (std::size_t i = 0; i < at; ++i) earlier.push_back(rows[i].score.value);
  const ScoreLevel level = BestLevel(earlier, kLevelWidth, lower_is_better);
  const auto first = static_cast<std::size_t>(level.first);
  Rows compared = Slice(rows, first, first + static_cast<std::size_t>(level.width));
  compared.push_back(judged);
  const MetricTrajectory seen = TrajectoryOf(items, std::move(compared), kForNoise);
  const std::set<std::string> clusters(seen.clusters.begin(), seen.clusters.end());
  const double units = !clusters.empty() ? static_cast<double>(clusters.size())
                       : seen.items > 0  ? seen.items
                                         : static_cast<double>(judged.score.n.value_or(1000));
  const LevelDrop drop = DropBelowLevel(seen.trajectory.scores, seen.trajectory.covariance,
                                        std::max(1.0, units - 1), *noise, lower_is_better);
  return ScoreDrop{.family = judged.family,
                   .run = judged.run,
                   .generation = judged.generation,
                   .metric = judged.score.task + "." + judged.score.metric,
                   .step = judged.step,
                   .tokens = judged.tokens,
                   .value = judged.score.value,
                   .best = level.value,
                   .best_from = rows[first].step,
                   .best_to = rows[first + static_cast<std::size_t>(level.width) - 1].step,
                   .drop = drop.value,
                   .standard_error = drop.standard_error,
                   .dof = drop.dof,
                   .items = seen.items,
                   .candidates = level.candidates,
                   .look = static_cast<std::int64_t>(at) - kFewestForDrop + 1};
}

AxisPoints PointsOf(ItemReader& items, const std::string& metric, const Rows& rows,
                    std::size_t most) {
  AxisPoints axis{.metric = metric, .chance = items.Chance(rows.back())};
  const auto noise = MeasureStepNoise(TrajectoryOf(items, rows, kForNoise).trajectory, kLevel);
  const double steps = noise ? noise->deviation : 0;
  for (const ScoreRow& row : Slice(rows, rows.size() - std::min(most, rows.size()), rows.size())) {
    if (!row.score.stderr_value) continue;
    const double quantum = row.score.n ? 1.0 / static_cast<double>(*row.score.n) : 0;
    axis.points.push_back(
        {.step = row.step,
         .tokens = row.tokens,
         .value = row.score.value,
         .standard_error = std::max(std::hypot(*row.score.stderr_value, steps), quantum)});
  }
  return axis;
}

// The checkpoints of one run at which every metric was scored, a row each; the newest `most`.
std::vector<Eigen::VectorXd> CompleteRows(const std::vector<const Rows*>& metrics,
                                          std::size_t most) {
  std::map<std::int64_t, std::vector<double>> steps;
  for (const Rows* rows : metrics) {
    for (const ScoreRow& row : *rows) steps[row.step].push_back(row.score.value);
  }
  std::vector<Eigen::VectorXd> complete;
  for (const auto& [step, values] : steps) {
    if (values.size() != metrics.size()) continue;
    complete.push_back(
        Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size())));
  }
  if (complete.size() > most)
    complete.erase(complete.begin(), complete.end() - static_cast<std::ptrdiff_t>(most));
  return complete;
}

// What is drawn together when the checkpoints of a run are drawn again: neighbours, about K^(1/3)
// of them.
std::size_t BlockLength(std::size_t checkpoints) {
  return std::max<std::size_t>(
      1, static_cast<std::size_t>(std::llround(std::cbrt(static_cast<double>(checkpoints)))));
}

// What makes the comparison at rows[at] what it is: the evaluations up to there.
std::string KeyOf(const Rows& rows, std::size_t at) {
  std::string key = rows[at].run + "\n" + rows[at].score.task + "." + rows[at].score.metric;
  for (std::size_t i = 0; i <= at; ++i) key += "," + std::to_string(rows[i].evaluation_id);
  return HashHex(key);
}

}  // namespace

class ScoreMeasurer::Implementation {
 public:
  Implementation(HistoryReader& history, const Config& config)
      : history_(history), config_(config), items_(history.ScoresDirectory()) {
    items_.KeepItems();
  }

  Result<ScoreEvidence> Measure(const HistoryFilter& filter) {
    filter_ = filter;
    rows_.clear();
    dropped_.clear();
    evidence_ = {};
    for (const RuleConfig& rule : config_.rules) {
      if (rule.kind == "score_regression") TRY(AddDrops(rule));
      if (rule.kind == "axis_spent") TRY(AddStandings(rule));
      if (rule.kind == "dimension_collapse") TRY(AddDimensions(rule));
      if (rule.kind == "queue_growing") TRY(AddEvaluationTime());
    }
    return evidence_;
  }

 private:
  Result<const RowsByRun*> Scores(const std::string& metric) {
    const auto found = rows_.find(metric);
    if (found != rows_.end()) return &found->second;
    RowsByRun rows = TRY(RowsOf(history_, metric, filter_));
    return &rows_.emplace(metric, std::move(rows)).first->second;
  }

  Status AddDrops(const RuleConfig& rule) {
    const auto hold = static_cast<std::size_t>(RuleHold(rule));
    for (const std::string& metric : RuleMetrics(rule, config_.axes)) {
      const RowsByRun* by_run = TRY(Scores(metric));
      for (const auto& [run, rows] : *by_run) {
        if (!WatchesRun(rule, run, rows.front().family)) continue;
        for (std::size_t at = rows.size() - std::min(hold, rows.size()); at < rows.size(); ++at) {
          if (!dropped_.insert({run, metric, rows[at].step}).second) continue;
          const std::string key = KeyOf(rows, at);
          auto known = known_drops_.find(key);
          if (known == known_drops_.end()) {
            known = known_drops_.emplace(key, DropAt(items_, rows, at)).first;
          }
          if (known->second) evidence_.drops.push_back(*known->second);
        }
      }
    }
    return {};
  }

  Status AddStandings(const RuleConfig& rule) {
    const auto hold = static_cast<std::size_t>(RuleHold(rule));
    for (const AxisPair& pair : config_.axes) {
      if (!rule.axes.empty() && rule.axes != pair.name) continue;
      const RowsByRun* reasoning = TRY(Scores(pair.reasoning.Text()));
      const RowsByRun* truthfulness = TRY(Scores(pair.truthfulness.Text()));
      for (const auto& [run, rows] : *reasoning) {
        const auto other = truthfulness->find(run);
        if (other == truthfulness->end() || !WatchesRun(rule, run, rows.front().family)) continue;
        AxisStanding standing{.family = rows.front().family,
                              .run = run,
                              .generation = rows.front().generation,
                              .axes = AxesText(pair)};
        standing.reasoning = PointsOf(items_, pair.reasoning.Text(), rows, hold);
        standing.truthfulness = PointsOf(items_, pair.truthfulness.Text(), other->second, hold);
        KeepLonger(std::move(standing));
      }
    }
    return {};
  }

  // Rules that ask for a different number of checkpoints share one standing.
  void KeepLonger(AxisStanding standing) {
    const auto found = std::ranges::find_if(evidence_.standings, [&](const AxisStanding& other) {
      return other.run == standing.run && other.axes == standing.axes;
    });
    if (found == evidence_.standings.end()) {
      evidence_.standings.push_back(std::move(standing));
    } else if (found->reasoning.points.size() < standing.reasoning.points.size()) {
      *found = std::move(standing);
    }
  }

  Status AddDimensions(const RuleConfig& rule) {
    const std::vector<std::string> metrics = RuleMetrics(rule, config_.axes);
    constexpr std::size_t kFewestMetrics = 3;  // of two, a small dimension is what is hoped for
    if (metrics.size() < kFewestMetrics) return {};
    std::map<std::string, std::map<std::string, std::vector<const Rows*>>> families;
    for (const std::string& metric : metrics) {
      const RowsByRun* by_run = TRY(Scores(metric));
      for (const auto& [run, rows] : *by_run) families[rows.front().family][run].push_back(&rows);
    }
    for (const auto& [family, runs] : families) AddDimension(metrics, family, runs);
    return {};
  }

  void AddDimension(const std::vector<std::string>& metrics, const std::string& family,
                    const std::map<std::string, std::vector<const Rows*>>& runs) {
    std::vector<Eigen::VectorXd> all;
    std::vector<std::string> drawn_together;
    int used = 0;
    for (const auto& [run, of_metrics] : runs) {
      if (of_metrics.size() != metrics.size()) continue;
      const auto rows = CompleteRows(of_metrics, static_cast<std::size_t>(config_.coupling.window));
      used += !rows.empty();
      const std::size_t block =
          std::ssize(runs) >= kFewestRunsToDraw ? rows.size() + 1 : BlockLength(rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        drawn_together.push_back(run + "/" + std::to_string(i / block));
        all.push_back(rows[i]);
      }
    }
    Eigen::MatrixXd scores(all.size(), metrics.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      scores.row(static_cast<Eigen::Index>(i)) = all[i].transpose();
    }
    const auto found = MeasureDimension(scores, drawn_together, {.level = kLevel});
    if (!found) return;  // too few checkpoints, or nothing varies
    evidence_.dimensions.push_back({.family = family,
                                    .metrics = metrics,
                                    .value = found->value,
                                    .low = found->interval.low,
                                    .high = found->interval.high,
                                    .level = kLevel,
                                    .checkpoints = found->models,
                                    .runs = used});
  }

  Status AddEvaluationTime() {
    HistoryFilter filter = filter_;
    filter.family.clear();  // one queue for all
    filter.until.reset();   // of a checkpoint's last change; evaluations are looked at one by one
    std::vector<Checkpoint> evaluated = TRY(history_.Checkpoints(filter));
    std::erase_if(evaluated, [](const Checkpoint& checkpoint) {
      return checkpoint.state != CheckpointState::kEvaluated;
    });
    std::ranges::sort(evaluated, std::ranges::greater(), &Checkpoint::updated_at);
    std::vector<UnixMillis> spans;
    for (const Checkpoint& checkpoint : evaluated) {
      if (spans.size() >= kNewestEvaluations) break;
      for (const Evaluation& evaluation : TRY(history_.Evaluations(checkpoint.id))) {
        const bool known =
            evaluation.started_at > 0 && evaluation.finished_at > evaluation.started_at;
        if (!known || (filter_.until && evaluation.finished_at > *filter_.until)) continue;
        spans.push_back(evaluation.finished_at - evaluation.started_at);
      }
    }
    if (spans.empty()) return {};
    const auto middle = spans.begin() + std::ssize(spans) / 2;
    std::ranges::nth_element(spans, middle);
    evidence_.evaluation_time = milliseconds(*middle);
    return {};
  }

  HistoryReader& history_;
  const Config& config_;
  ItemReader items_;
  std::map<std::string, std::optional<ScoreDrop>> known_drops_;
  // Of the call under way.
  HistoryFilter filter_;
  std::map<std::string, RowsByRun> rows_;  // by metric
  std::set<std::tuple<std::string, std::string, std::int64_t>> dropped_;
  ScoreEvidence evidence_;
};

ScoreMeasurer::ScoreMeasurer(HistoryReader& history, const Config& config)
    : implementation_(std::make_unique<Implementation>(history, config)) {}
ScoreMeasurer::~ScoreMeasurer() = default;

Result<ScoreEvidence> ScoreMeasurer::Measure(const HistoryFilter& filter) {
  return implementation_->Measure(filter);
}

Result<ScoreEvidence> MeasureScoreEvidence(HistoryReader& history, const Config& config,
                                           const HistoryFilter& filter) {
  return ScoreMeasurer(history, config).Measure(filter);
}

void AddScoreEvidence(ScoreEvidence& all, const ScoreEvidence& more) {
  all.drops.insert(all.drops.end(), more.drops.begin(), more.drops.end());
  all.standings.insert(all.standings.end(), more.standings.begin(), more.standings.end());
  all.dimensions.insert(all.dimensions.end(), more.dimensions.begin(), more.dimensions.end());
  if (more.evaluation_time) all.evaluation_time = more.evaluation_time;
}

}  // namespace couplingd
