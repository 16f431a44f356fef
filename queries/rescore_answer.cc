#include "queries/rescore_answer.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/json.h"
#include "queries/item_reader.h"
#include "queries/parameters.h"

namespace couplingd {
namespace {

std::vector<std::string> SplitNames(const std::string& text) {
  std::vector<std::string> names;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) names.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

// The rows of one task of one evaluation.
struct Task {
  ScoreRow row;
  std::map<std::string, double> stored;  // by metric
};

class Rescorer {
 public:
  Rescorer(const QueryContext& context, std::vector<std::string> metrics)
      : history_(context.history),
        items_(context.history.ScoresDirectory()),
        metrics_(std::move(metrics)) {}

  Status Add(const Task& task) {
    const auto problem = [&](std::string_view metric, const Error& error) {
      Begin(task).Field("metric",
                        metric.empty() ? std::nullopt : std::optional(std::string(metric)));
      json_.Field("value", std::optional<double>()).Field("stderr", std::optional<double>());
      json_.Field("n", std::optional<std::int64_t>()).Field("stored", std::optional<double>());
      json_.Field("only_aggregates",
                  error.kind == ErrorKind::kNotFound && task.row.scores_hash.empty());
      json_.Field("problem", error.Text()).EndObject();
    };
    const auto possible = MetricNamesOf(task.row.score.task);
    std::vector<std::string> metrics = metrics_;
    if (metrics.empty()) metrics.assign(possible.begin(), possible.end());
    std::erase_if(metrics, [&](const std::string& metric) {
      const bool unknown = std::ranges::find(possible, metric) == possible.end();
      if (unknown) {
        problem(metric,
                {ErrorKind::kUsage, task.row.score.task + " has no metric \"" + metric + "\"",
                 "it has " + Joined(possible)});
      }
      return unknown;
    });
    if (metrics.empty()) return {};
    const auto results = items_.Compute(task.row, metrics);
    if (!results) {
      problem("", results.error());
      return {};
    }
    const Evaluation evaluation = TRY(EvaluationOf(task.row));
    for (const MetricResult& result : *results) Write(task, evaluation, result.score);
    return {};
  }

  std::string Text() { return json_.EndArray().Text(); }
  void Start() { json_.BeginArray(); }

 private:
  static std::string Joined(const std::vector<std::string_view>& names) {
    std::string text;
    for (const std::string_view name : names)
      text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
  }

  JsonWriter& Begin(const Task& task) {
    const ScoreRow& row = task.row;
    json_.BeginObject().Field("run", row.run).Field("family", row.family);
    json_.Field("generation", row.generation).Field("checkpoint", row.checkpoint);
    json_.Field("step", row.step).Field("tokens", row.tokens).Field("task", row.score.task);
    return json_;
  }

  void Write(const Task& task, const Evaluation& evaluation, const Score& score) {
    const auto stored = task.stored.find(score.metric);
    Begin(task).Field("metric", score.metric).Field("value", score.value);
    json_.Field("stderr", score.stderr_value).Field("n", score.n);
    json_.Field("stored",
                stored == task.stored.end() ? std::nullopt : std::optional(stored->second));
    json_.Field("problem", std::optional<std::string>()).Key("evaluation").BeginObject();
    json_.Field("key", evaluation.key).Field("series_key", evaluation.series_key);
    json_.Field("pack", evaluation.pack).Field("pack_hash", evaluation.pack_hash);
    json_.Field("harness", evaluation.harness).Field("device", evaluation.device);
    json_.Field("dtype", evaluation.dtype).Field("plan_hash", evaluation.plan_hash);
    json_.Field("scores_hash", evaluation.scores_hash);
    json_.Field("started_at", evaluation.started_at).Field("finished_at", evaluation.finished_at);
    json_.EndObject().EndObject();
  }

  Result<Evaluation> EvaluationOf(const ScoreRow& row) {
    if (checkpoint_ != std::tuple{row.run, row.generation, row.step}) {
      checkpoint_ = {row.run, row.generation, row.step};
      evaluations_.clear();
      HistoryFilter filter{.run = row.run, .min_step = row.step, .max_step = row.step};
      filter.generation = row.generation;
      for (const Checkpoint& checkpoint : TRY(history_.Checkpoints(filter))) {
        for (Evaluation& evaluation : TRY(history_.Evaluations(checkpoint.id))) {
          const std::int64_t id = evaluation.id;
          evaluations_.emplace(id, std::move(evaluation));
        }
      }
    }
    return evaluations_[row.evaluation_id];
  }

  HistoryReader& history_;
  ItemReader items_;
  const std::vector<std::string> metrics_;
  std::tuple<std::string, int, std::int64_t> checkpoint_;
  std::map<std::int64_t, Evaluation> evaluations_;  // of that checkpoint
  JsonWriter json_;
};

}  // namespace

Result<std::string> AnswerRescore(const QueryContext& context) {
  const HistoryFilter filter = TRY(ParseFilter(context.parameters, context.clock));
  const auto names = context.parameters.find("metrics");
  Rescorer rescorer(context, names == context.parameters.end() ? std::vector<std::string>()
                                                               : SplitNames(names->second));
  // The raw scores of a task and series stand once per checkpoint, whichever metric names them.
  std::map<std::tuple<std::string, int, std::int64_t, std::string, std::string>, Task> tasks;
  for (ScoreRow& row : TRY(context.history.Scores(filter))) {
    Task& task = tasks[{row.run, row.generation, row.step, row.score.task, row.series_key}];
    task.stored[row.score.metric] = row.score.value;
    if (task.row.run.empty() || task.row.scores_hash.empty()) task.row = std::move(row);
  }
  rescorer.Start();
  for (const auto& [place, task] : tasks) TRY(rescorer.Add(task));
  return rescorer.Text();
}

}  // namespace couplingd
