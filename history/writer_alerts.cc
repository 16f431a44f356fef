#include <fmt/format.h>

#include "history/rows.h"
#include "history/writer.h"

namespace couplingd {
Status SqlWriter::SaveCoupling(const CouplingEstimate& estimate) {
  const Status saved = Transaction([&]() -> Status {
    Statement insert = TRY(connection_->Prepare(
        "INSERT INTO couplings (recorded_at, family, run, generation, axes, over, at, tokens, "
        "gamma, low, high, level, phase, p_tax, p_bonus, method, n, reason, p_reasoning_rises, "
        "p_below_tax, "
        "p_above_tax, p_below_bonus, p_above_bonus) "
        "SELECT :recorded_at, :family, :run, :generation, :axes, :over, :at, :tokens, :gamma, "
        ":low, :high, :level, :phase, :p_tax, :p_bonus, :method, :n, :reason, "
        ":p_reasoning_rises, :p_below_tax, "
        ":p_above_tax, :p_below_bonus, :p_above_bonus "
        "WHERE NOT EXISTS (SELECT 1 FROM (SELECT * FROM couplings WHERE run = :run "
        "AND (run <> '' OR family = :family) AND over = :over AND axes = :axes "
        "AND generation = :generation AND at = :at ORDER BY id DESC LIMIT 1) "
        "WHERE family = :family AND tokens IS :tokens AND gamma IS :gamma AND low IS :low "
        "AND high IS :high AND level = :level AND phase = :phase AND p_tax IS :p_tax "
        "AND p_bonus IS :p_bonus AND method = :method AND n = :n AND reason = :reason "
        "AND p_reasoning_rises IS :p_reasoning_rises AND p_below_tax IS :p_below_tax AND "
        "p_above_tax IS :p_above_tax "
        "AND p_below_bonus IS :p_below_bonus AND p_above_bonus IS :p_above_bonus)"));
    const auto p = [&](double PhaseEvidence::*side) {
      return estimate.evidence ? std::optional((*estimate.evidence).*side) : std::nullopt;
    };
    insert.Bind(clock_.Now(), estimate.family, estimate.run, estimate.generation, estimate.axes,
                ToString(estimate.over), estimate.at, estimate.tokens, estimate.gamma, estimate.low,
                estimate.high, estimate.level, ToString(estimate.phase), estimate.p_tax,
                estimate.p_bonus, estimate.method, estimate.n, estimate.reason,
                p(&PhaseEvidence::reasoning_rises), p(&PhaseEvidence::below_tax),
                p(&PhaseEvidence::above_tax), p(&PhaseEvidence::below_bonus),
                p(&PhaseEvidence::above_bonus));
    return insert.Run();
  });
  if (saved) return {};
  return std::unexpected(
      saved.error().Within(fmt::format("coupling of {} in {}", estimate.axes,
                                       estimate.run.empty() ? estimate.family : estimate.run)));
}

Status SqlWriter::SaveForecast(const Forecast& forecast) {
  const Status saved = Transaction([&]() -> Status {
    Statement insert = TRY(connection_->Prepare(
        "INSERT INTO forecasts (recorded_at, family, run, axes, quantity, method, value, low, "
        "high, level, p_crossing, horizon_low, horizon_high, n, reason, low80, high80, p_passed, "
        "observed) "
        "SELECT :recorded_at, :family, :run, :axes, :quantity, :method, :value, :low, :high, "
        ":level, :p_crossing, :horizon_low, :horizon_high, :n, :reason, :low80, :high80, "
        ":p_passed, :observed "
        "WHERE NOT EXISTS (SELECT 1 FROM (SELECT * FROM forecasts WHERE run = :run "
        "AND (run <> '' OR family = :family) AND axes = :axes AND quantity = :quantity "
        "AND method = :method ORDER BY id DESC LIMIT 1) "
        "WHERE family = :family AND value IS :value AND low IS :low AND high IS :high "
        "AND level = :level AND p_crossing IS :p_crossing AND horizon_low = :horizon_low "
        "AND horizon_high = :horizon_high AND n = :n AND reason = :reason AND low80 IS :low80 "
        "AND high80 IS :high80 AND p_passed IS :p_passed AND observed IS :observed)"));
    insert.Bind(clock_.Now(), forecast.family, forecast.run, forecast.axes, forecast.quantity,
                forecast.method, forecast.value, forecast.low, forecast.high, forecast.level,
                forecast.p_crossing, forecast.horizon_low, forecast.horizon_high, forecast.n,
                forecast.reason, forecast.low80, forecast.high80, forecast.p_passed,
                forecast.observed);
    return insert.Run();
  });
  if (saved) return {};
  return std::unexpected(
      saved.error().Within(fmt::format("forecast of {} for {}", forecast.quantity,
                                       forecast.run.empty() ? forecast.family : forecast.run)));
}

Status SqlWriter::SaveAlert(const Alert& alert) {
  const Status saved = Transaction([&] { return InsertAlert(alert); });
  if (saved) return {};
  return std::unexpected(saved.error().Within(
      fmt::format("alert {} of {} ({})", alert.finding.rule, alert.finding.run, alert.key)));
}

Status SqlWriter::InsertAlert(const Alert& alert) {
  Statement newest = TRY(connection_->Prepare("SELECT max(sequence) FROM alerts WHERE key = :key"));
  newest.Bind(alert.key);
  std::optional<std::int64_t> before;
  if (TRY(newest.Step())) newest.Read(before);
  if (before && alert.sequence <= *before) {
    return Fail(ErrorKind::kConflict,
                fmt::format("transition {} comes after transition {}", alert.sequence, *before));
  }
  const Finding& finding = alert.finding;
  Statement insert = TRY(connection_->Prepare(
      "INSERT INTO alerts (key, sequence, state, starts_at, ends_at, is_test, rule, kind, run, "
      "subject, active, severity, summary, description, labels, numbers, interventions, "
      "resolution, updated_at) VALUES "
      "(:key, :sequence, :state, :starts_at, :ends_at, :is_test, :rule, :kind, :run, :subject, "
      ":active, :severity, :summary, :description, :labels, :numbers, :interventions, "
      ":resolution, :updated_at)"));
  insert.Bind(alert.key, alert.sequence, ToString(alert.state), alert.starts_at, alert.ends_at,
              alert.is_test, finding.rule, finding.kind, finding.run, finding.subject,
              finding.active, ToString(finding.severity), finding.summary, finding.description,
              LabelsToJson(finding.labels), NumbersToJson(finding.values),
              InterventionsToJson(finding.interventions), alert.resolution, clock_.Now());
  return insert.Run();
}

Status SqlWriter::SaveEvent(const std::string& level, const std::string& subject,
                            const std::string& text) {
  return Transaction([&]() -> Status {
    Statement repeat =
        TRY(connection_->Prepare("UPDATE events SET at = :at, count = count + 1 "
                                 "WHERE id = (SELECT max(id) FROM events WHERE subject = :subject) "
                                 "AND level = :level AND text = :text"));
    repeat.Bind(clock_.Now(), subject, level, text);
    TRY(repeat.Run());
    if (connection_->Changes() > 0) return {};
    Statement insert =
        TRY(connection_->Prepare("INSERT INTO events (at, level, subject, text, count) "
                                 "VALUES (:at, :level, :subject, :text, 1)"));
    insert.Bind(clock_.Now(), level, subject, text);
    return insert.Run();
  });
}

Status SqlWriter::SetValue(const std::string& key, const std::string& value) {
  return Transaction([&]() -> Status {
    Statement set =
        TRY(connection_->Prepare("INSERT INTO named_values (key, value) VALUES (:key, :value) "
                                 "ON CONFLICT (key) DO UPDATE SET value = excluded.value"));
    set.Bind(key, value);
    return set.Run();
  });
}

}  // namespace couplingd
