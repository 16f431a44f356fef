#include <fmt/format.h>

#include <cstdint>

#include "base/files.h"
#include "history/reader.h"
#include "history/rows.h"

namespace couplingd {
namespace {

// CROSS JOIN keeps SQLite to the order written, in which each table is entered through an index.
constexpr std::string_view kHasScore =
    "EXISTS (SELECT 1 FROM evaluations e CROSS JOIN scores s ON s.evaluation_id = e.id "
    "WHERE e.checkpoint_id = c.id AND {})";

void AddScoreConditions(Conditions& conditions, const HistoryFilter& filter) {
  if (!filter.task.empty() && !filter.metric.empty()) {
    conditions.Add(fmt::format(kHasScore, "s.task = ? AND s.metric = ?"), filter.task,
                   filter.metric);
  } else if (!filter.task.empty()) {
    conditions.Add(fmt::format(kHasScore, "s.task = ?"), filter.task);
  } else if (!filter.metric.empty()) {
    conditions.Add(fmt::format(kHasScore, "s.metric = ?"), filter.metric);
  }
}

bool IsOfTheSameSeriesAndStep(const ScoreRow& a, const ScoreRow& b) {
  return a.step == b.step && a.score.task == b.score.task && a.score.metric == b.score.metric &&
         a.generation == b.generation && a.run == b.run && a.series_key == b.series_key;
}

Result<Score> ReadScore(Statement& row) {
  Score score;
  row.Read(score.task, score.metric, score.value, score.stderr_value, score.n);
  return score;
}

}  // namespace

std::string SqlReader::ScoresDirectory() const {
  return JoinPath(DirectoryName(database_), "scores");
}

Result<std::vector<Run>> SqlReader::Runs() {
  Statement statement =
      TRY(connection_.Prepare(fmt::format("SELECT {} FROM runs r ORDER BY r.name", kRunColumns)));
  return ReadAll(statement, ReadRun);
}

Result<std::optional<Run>> SqlReader::FindRun(const std::string& name) {
  Statement statement =
      TRY(connection_.Prepare(fmt::format("SELECT {} FROM runs r WHERE r.name = ?", kRunColumns)));
  statement.Bind(name);
  return ReadOne(statement, ReadRun);
}

Result<std::vector<Checkpoint>> SqlReader::Checkpoints(const HistoryFilter& filter) {
  Conditions conditions = RunAndStepConditions(filter);
  conditions.AddBound("c.updated_at >= ?", filter.since);
  conditions.AddBound("c.updated_at <= ?", filter.until);
  AddScoreConditions(conditions, filter);
  Statement statement = TRY(connection_.Prepare(
      fmt::format("SELECT {} FROM runs r CROSS JOIN checkpoints c ON c.run_id = r.id{} "
                  "ORDER BY r.name, c.generation, c.step, c.id LIMIT ?",
                  kCheckpointColumns, conditions.where())));
  statement.BindAll(conditions.values()).Bind(SqlLimit(filter.limit));
  return ReadAll(statement, ReadCheckpoint);
}

Result<std::optional<Checkpoint>> SqlReader::FindCheckpoint(std::int64_t id) {
  Statement statement = TRY(connection_.Prepare(
      fmt::format("SELECT {} FROM checkpoints c WHERE c.id = ?", kCheckpointColumns)));
  statement.Bind(id);
  return ReadOne(statement, ReadCheckpoint);
}

Result<std::vector<Checkpoint>> SqlReader::CheckpointsInState(CheckpointState state) {
  Statement statement = TRY(connection_.Prepare(
      fmt::format("SELECT {} FROM checkpoints c WHERE c.state = ? ORDER BY c.discovered_at, c.id",
                  kCheckpointColumns)));
  statement.Bind(ToString(state));
  return ReadAll(statement, ReadCheckpoint);
}

Result<std::vector<Evaluation>> SqlReader::Evaluations(std::int64_t checkpoint_id) {
  Statement statement =
      TRY(connection_.Prepare(fmt::format("SELECT {} FROM evaluations e WHERE e.checkpoint_id = ? "
                                          "ORDER BY e.finished_at, e.id",
                                          kEvaluationColumns)));
  statement.Bind(checkpoint_id);
  std::vector<Evaluation> evaluations = TRY(ReadAll(statement, ReadEvaluation));
  for (Evaluation& evaluation : evaluations) {
    Statement scores = TRY(connection_.Prepare(
        "SELECT task, metric, value, stderr, n FROM scores WHERE evaluation_id = ? "
        "ORDER BY task, metric"));
    scores.Bind(evaluation.id);
    evaluation.scores = TRY(ReadAll(scores, ReadScore));
  }
  return evaluations;
}

Result<std::vector<ScoreRow>> SqlReader::Scores(const HistoryFilter& filter) {
  Conditions conditions = RunAndStepConditions(filter);
  conditions.AddText("s.task = ?", filter.task);
  conditions.AddText("s.metric = ?", filter.metric);
  conditions.AddBound("e.finished_at >= ?", filter.since);
  conditions.AddBound("e.finished_at <= ?", filter.until);
  Statement statement = TRY(connection_.Prepare(
      fmt::format("SELECT {} FROM runs r CROSS JOIN checkpoints c ON c.run_id = r.id "
                  "CROSS JOIN evaluations e ON e.checkpoint_id = c.id "
                  "CROSS JOIN scores s ON s.evaluation_id = e.id{} "
                  "ORDER BY r.name, c.generation, c.step, s.task, s.metric, e.series_key, "
                  "e.finished_at DESC, e.id DESC",
                  kScoreRowColumns, conditions.where())));
  statement.BindAll(conditions.values());
  const std::size_t limit = filter.limit > 0 ? static_cast<std::size_t>(filter.limit) : SIZE_MAX;
  std::vector<ScoreRow> rows;
  while (rows.size() < limit && TRY(statement.Step())) {
    ScoreRow row = TRY(ReadScoreRow(statement));
    // The newest evaluation of a series at a step comes first; what it replaces follows.
    if (rows.empty() || !IsOfTheSameSeriesAndStep(rows.back(), row)) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace couplingd
