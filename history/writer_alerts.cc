#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/hash.h"
#include "history/rows.h"
#include "history/writer.h"

namespace couplingd {
namespace {

constexpr std::array<std::string_view, 4> kDeliveryStates = {"pending", "delivered", "superseded",
                                                             "dead"};

// The same on every attempt; the lengths keep two different triples from reading alike.
std::string DeliveryId(const Alert& alert, const std::string& sink) {
  return HashHex(fmt::format("{}:{}:{}:{}:{}", alert.key.size(), alert.key, alert.sequence,
                             sink.size(), sink));
}

}  // namespace

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

Status SqlWriter::SaveAlert(const Alert& alert, const std::vector<std::string>& sinks) {
  const std::set<std::string> distinct(sinks.begin(), sinks.end());
  const Status saved = Transaction([&]() -> Status {
    TRY(InsertAlert(alert));
    for (const std::string& sink : distinct) TRY(AddDelivery(alert, sink));
    return {};
  });
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

Status SqlWriter::AddDelivery(const Alert& alert, const std::string& sink) {
  const UnixMillis now = clock_.Now();
  Statement supersede = TRY(connection_->Prepare(
      "UPDATE deliveries SET state = 'superseded', last_outcome = :outcome, updated_at = :now "
      "WHERE sink = :sink AND alert_key = :key AND sequence < :sequence AND state = 'pending'"));
  supersede.Bind(fmt::format("superseded by transition {}", alert.sequence), now, sink, alert.key,
                 alert.sequence);
  TRY(supersede.Run());
  Statement insert = TRY(connection_->Prepare(
      "INSERT INTO deliveries (delivery_id, sink, alert_key, sequence, attempts, next_attempt_at, "
      "state, last_outcome, updated_at) VALUES "
      "(:delivery_id, :sink, :key, :sequence, 0, :next_attempt_at, 'pending', '', :updated_at)"));
  insert.Bind(DeliveryId(alert, sink), sink, alert.key, alert.sequence, now, now);
  return insert.Run();
}

Status SqlWriter::SaveDelivery(const Delivery& delivery) {
  if (std::ranges::find(kDeliveryStates, delivery.state) == kDeliveryStates.end()) {
    return Fail(ErrorKind::kUsage, fmt::format("delivery {}: \"{}\" is no state of a delivery",
                                               delivery.id, delivery.state));
  }
  return Transaction([&]() -> Status {
    Statement update = TRY(connection_->Prepare(
        "UPDATE deliveries SET attempts = :attempts, next_attempt_at = :next_attempt_at, "
        "state = iif(state = 'superseded' AND :state = 'pending', state, :state), "
        "last_outcome = :last_outcome, updated_at = :updated_at WHERE id = :id"));
    update.Bind(delivery.attempts, delivery.next_attempt_at, delivery.state, delivery.last_outcome,
                delivery.updated_at, delivery.id);
    TRY(update.Run());
    if (connection_->Changes() == 1) return {};
    return Fail(ErrorKind::kNotFound, fmt::format("no delivery with id {} is stored", delivery.id));
  });
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
