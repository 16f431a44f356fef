#include <fmt/format.h>

#include "history/reader.h"
#include "history/rows.h"
#include "history/writer.h"

namespace couplingd {
namespace {

bool operator==(const LossPoint& a, const LossPoint& b) {
  return a.step == b.step && a.tokens == b.tokens && a.loss == b.loss;
}

Result<LossPoint> ReadPoint(Statement& row) {
  LossPoint point;
  row.Read(point.step, point.tokens, point.loss);
  return point;
}

Result<LossRow> ReadRow(Statement& row) {
  LossRow loss;
  row.Read(loss.run, loss.family, loss.generation, loss.parameters, loss.point.step,
           loss.point.tokens, loss.point.loss, loss.source);
  return loss;
}

bool AreEqual(const std::vector<LossPoint>& a, const std::vector<LossPoint>& b) {
  return std::ranges::equal(a, b, [](const LossPoint& x, const LossPoint& y) { return x == y; });
}

}  // namespace

Result<std::vector<LossRow>> SqlReader::Losses(const HistoryFilter& filter) {
  Conditions conditions = RunAndStepConditions(filter);
  // The same conditions, on what stands in for the checkpoints.
  Statement statement = TRY(connection_.Prepare(fmt::format(
      "SELECT r.name, r.family, c.generation, r.parameters, c.step, c.tokens, c.loss, c.source "
      "FROM runs r CROSS JOIN (SELECT l.run_id, l.generation, l.step, "
      "coalesce(l.tokens, l.step * o.tokens_per_step) AS tokens, l.loss, l.source FROM losses l "
      "JOIN runs o ON o.id = l.run_id) c ON c.run_id = r.id{} "
      "ORDER BY r.name, c.generation, c.step LIMIT ?",
      conditions.where())));
  statement.BindAll(conditions.values()).Bind(SqlLimit(filter.limit));
  return ReadAll(statement, ReadRow);
}

Result<std::int64_t> SqlWriter::SaveLosses(std::int64_t run_id, int generation,
                                           const std::string& source,
                                           const std::vector<LossPoint>& points) {
  const Result<std::int64_t> saved = TransactionWithId([&]() -> Result<std::int64_t> {
    Statement known = TRY(connection_->Prepare(
        "SELECT step, tokens, loss FROM losses WHERE run_id = ? AND generation = ? AND source = ? "
        "ORDER BY step"));
    known.Bind(run_id, generation, source);
    if (AreEqual(TRY(ReadAll(known, ReadPoint)), points)) return 0;
    Statement remove = TRY(connection_->Prepare(
        "DELETE FROM losses WHERE run_id = ? AND generation = ? AND source = ?"));
    remove.Bind(run_id, generation, source);
    TRY(remove.Run());
    for (const LossPoint& point : points) {
      Statement insert = TRY(connection_->Prepare(
          "INSERT INTO losses (run_id, generation, step, tokens, loss, source) "
          "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, generation, step) DO UPDATE SET "
          "tokens = excluded.tokens, loss = excluded.loss, source = excluded.source"));
      insert.Bind(run_id, generation, point.step, point.tokens, point.loss, source);
      TRY(insert.Run());
    }
    return static_cast<std::int64_t>(points.size());
  });
  if (!saved) return std::unexpected(saved.error().Within(fmt::format("losses of {}", source)));
  return saved;
}

}  // namespace couplingd
