// How the nouns lie in columns: the column lists and what turns a row into a struct.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "history/sqlite.h"
#include "history/store.h"

namespace couplingd {

// With the aliases of the tables: r(uns), c(heckpoints) or c(ouplings), e(valuations), s(cores), f,
// a and d.
inline constexpr std::string_view kRunColumns =
    "r.id, r.name, r.family, r.path, r.parameters, r.d_model, r.tokens_per_step, r.generation";
inline constexpr std::string_view kCheckpointColumns =
    "c.id, c.run_id, c.generation, c.step, c.tokens, c.parameters, c.path, c.signature, "
    "c.weights_hash, c.state, c.reason, c.attempts, c.written_at, c.discovered_at, "
    "c.updated_at";
inline constexpr std::string_view kEvaluationColumns =
    "e.id, e.checkpoint_id, e.key, e.series_key, e.pack, e.pack_hash, e.harness, e.device, "
    "e.dtype, e.plan_hash, e.scores_hash, e.started_at, e.finished_at";
inline constexpr std::string_view kScoreRowColumns =
    "r.name, r.family, c.path, c.step, c.generation, c.tokens, "
    "coalesce(c.parameters, r.parameters), s.task, s.metric, s.value, s.stderr, s.n, e.id, "
    "e.series_key, e.pack_hash, e.plan_hash, e.scores_hash, e.finished_at";
inline constexpr std::string_view kCouplingColumns =
    "c.family, c.run, c.generation, c.axes, c.over, c.at, c.tokens, c.gamma, c.low, c.high, "
    "c.level, c.phase, c.p_tax, c.p_bonus, c.method, c.n, c.reason, "
    "c.p_reasoning_rises, c.p_below_tax, "
    "c.p_above_tax, c.p_below_bonus, c.p_above_bonus";
inline constexpr std::string_view kForecastColumns =
    "f.family, f.run, f.axes, f.quantity, f.method, f.value, f.low, f.high, f.level, "
    "f.p_crossing, f.horizon_low, f.horizon_high, f.n, f.reason, f.low80, f.high80, f.p_passed, "
    "f.observed";
inline constexpr std::string_view kAlertColumns =
    "a.key, a.sequence, a.state, a.starts_at, a.ends_at, a.is_test, a.rule, a.kind, a.run, "
    "a.subject, a.active, a.severity, a.summary, a.description, a.labels, a.numbers, "
    "a.interventions, a.resolution";
inline constexpr std::string_view kDeliveryColumns =
    "d.id, d.delivery_id, d.sink, d.alert_key, d.sequence, d.attempts, d.next_attempt_at, "
    "d.state, d.last_outcome, d.updated_at, d.repeat, d.alert_group, d.severity, d.message, "
    "d.receipt";
inline constexpr std::string_view kEventColumns = "at, level, subject, text, count";

// Each reads the columns above from the current row. A text that names no known state is
// kUnsupported.
Result<Run> ReadRun(Statement& row);
Result<Checkpoint> ReadCheckpoint(Statement& row);
Result<Evaluation> ReadEvaluation(Statement& row);  // without its scores
Result<ScoreRow> ReadScoreRow(Statement& row);
Result<CouplingEstimate> ReadCoupling(Statement& row);
Result<LookCount> ReadLookCount(Statement& row);  // family, run, generation, axes, over, looks
Result<Forecast> ReadForecast(Statement& row);
Result<Alert> ReadAlert(Statement& row);
Result<Event> ReadEvent(Statement& row);

// A text that is stored and that this program does not know: kUnsupported.
std::unexpected<Error> UnknownText(std::string_view subject, std::string_view field,
                                   std::string_view text);

// In notification_rows.cc.
Result<Delivery> ReadDelivery(Statement& row);
Result<Silence> ReadSilence(Statement& row);
Result<Acknowledgement> ReadAcknowledgement(Statement& row);
Result<NotificationDecision> ReadDecision(Statement& row);
std::string TextsToJson(const std::vector<std::string>& texts);

std::string LabelsToJson(const std::map<std::string, std::string>& labels);
std::string NumbersToJson(const std::map<std::string, double>& numbers);
std::string InterventionsToJson(const std::vector<Intervention>& interventions);

// Every row of a statement that is bound.
template <typename T>
Result<std::vector<T>> ReadAll(Statement& statement, Result<T> (*read)(Statement&)) {
  std::vector<T> rows;
  while (TRY(statement.Step())) rows.push_back(TRY(read(statement)));
  return rows;
}

// The first row, if there is one.
template <typename T>
Result<std::optional<T>> ReadOne(Statement& statement, Result<T> (*read)(Statement&)) {
  if (!TRY(statement.Step())) return std::nullopt;
  return TRY(read(statement));
}

}  // namespace couplingd
