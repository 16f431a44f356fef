#include "history/rows.h"

#include <fmt/format.h>

#include "base/json.h"
#include "records/alert_json.h"

namespace couplingd {
namespace {

Result<std::map<std::string, std::string>> LabelsFromJson(const std::string& text,
                                                          std::string_view source) {
  const JsonDocument json = TRY(ParseJson(text, source));
  if (!json.IsObject()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: labels are no object", source));
  }
  std::map<std::string, std::string> labels;
  for (const auto& member : json.GetObject()) {
    const std::string name(member.name.GetString(), member.name.GetStringLength());
    labels[name] = TRY(GetString(json, name, source));
  }
  return labels;
}

Result<std::map<std::string, double>> NumbersFromJson(const std::string& text,
                                                      std::string_view source) {
  const JsonDocument json = TRY(ParseJson(text, source));
  if (!json.IsObject()) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: numbers are no object", source));
  }
  std::map<std::string, double> numbers;
  for (const auto& member : json.GetObject()) {
    const std::string name(member.name.GetString(), member.name.GetStringLength());
    numbers[name] = TRY(GetDouble(json, name, source));
  }
  return numbers;
}

// Of a text that names neither, kSteps: the caller compares.
CouplingOver OverOf(const std::string& text) {
  return text == ToString(CouplingOver::kScale) ? CouplingOver::kScale : CouplingOver::kSteps;
}

}  // namespace

std::unexpected<Error> UnknownText(std::string_view subject, std::string_view field,
                                   std::string_view text) {
  return Fail(
      ErrorKind::kUnsupported,
      fmt::format("{}: the stored {} \"{}\" is none that this program knows", subject, field, text),
      "use the version of couplingd that wrote it, or a newer one");
}

std::string LabelsToJson(const std::map<std::string, std::string>& labels) {
  JsonWriter json;
  json.BeginObject();
  for (const auto& [name, value] : labels) json.Field(name, value);
  return json.EndObject().Text();
}

std::string NumbersToJson(const std::map<std::string, double>& numbers) {
  JsonWriter json;
  json.BeginObject();
  for (const auto& [name, value] : numbers) json.Field(name, value);
  return json.EndObject().Text();
}

std::string InterventionsToJson(const std::vector<Intervention>& interventions) {
  JsonWriter json;
  WriteInterventions(json, interventions);
  return json.Text();
}

Result<Run> ReadRun(Statement& row) {
  Run run;
  row.Read(run.id, run.name, run.family, run.path, run.parameters, run.d_model, run.tokens_per_step,
           run.generation);
  return run;
}

Result<Checkpoint> ReadCheckpoint(Statement& row) {
  Checkpoint checkpoint;
  std::string state;
  row.Read(checkpoint.id, checkpoint.run_id, checkpoint.generation, checkpoint.step,
           checkpoint.tokens, checkpoint.parameters, checkpoint.path, checkpoint.signature,
           checkpoint.weights_hash, state, checkpoint.reason, checkpoint.attempts,
           checkpoint.written_at, checkpoint.discovered_at, checkpoint.updated_at);
  const std::optional<CheckpointState> known = ParseCheckpointState(state);
  if (!known) return UnknownText(checkpoint.path, "state", state);
  checkpoint.state = *known;
  return checkpoint;
}

Result<Evaluation> ReadEvaluation(Statement& row) {
  Evaluation evaluation;
  row.Read(evaluation.id, evaluation.checkpoint_id, evaluation.key, evaluation.series_key,
           evaluation.pack, evaluation.pack_hash, evaluation.harness, evaluation.device,
           evaluation.dtype, evaluation.plan_hash, evaluation.scores_hash, evaluation.started_at,
           evaluation.finished_at);
  return evaluation;
}

Result<ScoreRow> ReadScoreRow(Statement& row) {
  ScoreRow score;
  row.Read(score.run, score.family, score.checkpoint, score.step, score.generation, score.tokens,
           score.parameters, score.score.task, score.score.metric, score.score.value,
           score.score.stderr_value, score.score.n, score.evaluation_id, score.series_key,
           score.pack_hash, score.plan_hash, score.scores_hash, score.finished_at);
  return score;
}

Result<CouplingEstimate> ReadCoupling(Statement& row) {
  CouplingEstimate estimate;
  std::string over, phase;
  std::optional<double> reasoning_rises, below_tax, above_tax, below_bonus, above_bonus;
  row.Read(estimate.family, estimate.run, estimate.generation, estimate.axes, over, estimate.at,
           estimate.tokens, estimate.gamma, estimate.low, estimate.high, estimate.level, phase,
           estimate.p_tax, estimate.p_bonus, estimate.method, estimate.n, estimate.reason,
           reasoning_rises, below_tax, above_tax, below_bonus, above_bonus);
  if (reasoning_rises && below_tax && above_tax && below_bonus && above_bonus) {
    estimate.evidence = {*reasoning_rises, *below_tax, *above_tax, *below_bonus, *above_bonus};
  }
  const std::string subject = fmt::format("coupling of {}", estimate.axes);
  estimate.over = OverOf(over);
  if (over != ToString(estimate.over)) return UnknownText(subject, "direction", over);
  const std::optional<Phase> known = ParsePhase(phase);
  if (!known) return UnknownText(subject, "phase", phase);
  estimate.phase = *known;
  return estimate;
}

Result<LookCount> ReadLookCount(Statement& row) {
  LookCount count;
  std::string over;
  row.Read(count.family, count.run, count.generation, count.axes, over, count.looks);
  count.over = OverOf(over);
  if (over != ToString(count.over)) {
    return UnknownText(fmt::format("coupling of {}", count.axes), "direction", over);
  }
  return count;
}

Result<Forecast> ReadForecast(Statement& row) {
  Forecast forecast;
  row.Read(forecast.family, forecast.run, forecast.axes, forecast.quantity, forecast.method,
           forecast.value, forecast.low, forecast.high, forecast.level, forecast.p_crossing,
           forecast.horizon_low, forecast.horizon_high, forecast.n, forecast.reason, forecast.low80,
           forecast.high80, forecast.p_passed, forecast.observed);
  return forecast;
}

Result<Alert> ReadAlert(Statement& row) {
  Alert alert;
  Finding& finding = alert.finding;
  std::string state, severity, labels, numbers, interventions;
  row.Read(alert.key, alert.sequence, state, alert.starts_at, alert.ends_at, alert.is_test,
           finding.rule, finding.kind, finding.run, finding.subject, finding.active, severity,
           finding.summary, finding.description, labels, numbers, interventions, alert.resolution);
  const std::string subject = fmt::format("alert {}", alert.key);
  const std::optional<AlertState> known_state = ParseAlertState(state);
  if (!known_state) return UnknownText(subject, "state", state);
  const std::optional<Severity> known_severity = ParseSeverity(severity);
  if (!known_severity) return UnknownText(subject, "severity", severity);
  alert.state = *known_state;
  finding.severity = *known_severity;
  finding.labels = TRY(LabelsFromJson(labels, subject));
  finding.values = TRY(NumbersFromJson(numbers, subject));
  finding.interventions = TRY(ReadInterventions(TRY(ParseJson(interventions, subject)), subject));
  return alert;
}

Result<Event> ReadEvent(Statement& row) {
  Event event;
  row.Read(event.at, event.level, event.subject, event.text, event.count);
  return event;
}

}  // namespace couplingd
