#include "alerts/store_gateway.h"

#include <fmt/format.h>

#include <algorithm>

#include "alerts/outbox.h"
#include "base/numbers.h"

namespace couplingd {
namespace {

constexpr UnixMillis kRefreshResolved = 15 * 60 * 1000;
// A sink that failed so often in a row was away; fewer may be the fault of one message.
constexpr int kAwayAfter = 3;

std::string NotBeforeKey(const std::string& sink) { return "sink." + sink + ".not_before"; }

std::string SubjectOf(const std::string& sink) { return "sink " + sink; }

void Remember(SinkMemory& memory, const Delivery& delivered) {
  std::int64_t& newest = memory.acknowledged[delivered.alert_key];
  newest = std::max(newest, delivered.sequence);
  if (!delivered.receipt.empty()) memory.receipts[delivered.alert_key] = delivered.receipt;
}

Status Load(HistoryReader& reader, SinkMemory& memory) {
  if (memory.loaded) return {};
  std::vector<Delivery> delivered = TRY(reader.Deliveries("delivered"));
  std::ranges::sort(delivered, {}, &Delivery::id);
  for (const Delivery& delivery : delivered) {
    if (delivery.sink == memory.sink) Remember(memory, delivery);
  }
  if (const auto text = TRY(reader.Value(NotBeforeKey(memory.sink)))) {
    memory.not_before = ParseNumber<UnixMillis>(*text).value_or(memory.not_before);
  }
  memory.loaded = true;
  return {};
}

Status Bury(HistoryWriter& writer, Delivery delivery, const std::string& reason, UnixMillis now) {
  delivery.state = "dead";
  delivery.last_outcome = reason;
  delivery.updated_at = now;
  return writer.SaveDelivery(delivery);
}

// nullopt where the alert is gone; its row is buried.
Result<std::optional<AlertNews>> NewsOf(HistoryWriter& writer, const SinkMemory& memory,
                                        const Delivery& delivery, bool with_chart, UnixMillis now) {
  std::optional<Alert> alert =
      TRY(writer.reader().FindAlert(delivery.alert_key, delivery.sequence));
  if (!alert) {
    TRY(Bury(writer, delivery, "the alert is no longer in the history", now));
    return std::nullopt;
  }
  AlertNews news;
  const auto acknowledged = memory.acknowledged.find(delivery.alert_key);
  news.told_firing = alert->state == AlertState::kResolved &&
                     acknowledged != memory.acknowledged.end() &&
                     acknowledged->second == delivery.sequence - 1;
  const auto receipt = memory.receipts.find(delivery.alert_key);
  if (receipt != memory.receipts.end()) news.receipt = receipt->second;
  if (with_chart && memory.traits.takes_charts && memory.options.chart) {
    news.chart_png = memory.options.chart(writer.reader(), *alert);
  }
  news.alert = std::move(*alert);
  news.delivery = delivery;
  return news;
}

// Puts the picked rows under one message id. Of a message that was put together before, the id
// stays.
Result<Notification> Compose(HistoryWriter& writer, const SinkMemory& memory, Pick& pick,
                             UnixMillis now) {
  Notification notification;
  notification.is_digest = pick.is_digest;
  const std::string begun = pick.due.front().message;
  notification.delivery_id = begun.empty() ? MessageId(pick) : begun;
  TRY(writer.Transaction([&]() -> Status {
    for (Delivery& delivery : pick.due) {
      if (begun.empty()) {
        delivery.message = notification.delivery_id;
        TRY(writer.SaveDelivery(delivery));
      }
      std::optional<AlertNews> news = TRY(NewsOf(writer, memory, delivery, !pick.is_digest, now));
      if (news) notification.news.push_back(std::move(*news));
    }
    return {};
  }));
  return notification;
}

Status SaveEventOf(HistoryWriter& writer, const Delivery& delivery,
                   const DeliveryOutcome& outcome) {
  const std::string subject = SubjectOf(delivery.sink);
  if (delivery.state == "dead") {
    return writer.SaveEvent("error", subject,
                            fmt::format("delivery {} was given up after {} attempts: {}",
                                        delivery.delivery_id, delivery.attempts, outcome.text));
  }
  if (outcome.result != DeliveryResult::kDelivered) {
    return writer.SaveEvent("warning", subject, outcome.text);
  }
  if (delivery.attempts <= 1) return {};
  return writer.SaveEvent("info", subject,
                          fmt::format("delivered after {} attempts", delivery.attempts));
}

bool IsPending(const std::vector<Delivery>& pending, std::int64_t id) {
  return std::ranges::find(pending, id, &Delivery::id) != pending.end();
}

// A sink that was away and is back gets what it missed now, not when each would be tried next.
Status Expedite(HistoryWriter& writer, const std::vector<Delivery>& pending,
                const std::string& sink, UnixMillis now) {
  for (Delivery delivery : pending) {
    if (delivery.sink != sink || delivery.attempts == 0 || delivery.next_attempt_at <= now)
      continue;
    delivery.next_attempt_at = now;
    TRY(writer.SaveDelivery(delivery));
  }
  return {};
}

}  // namespace

Result<Work> FindWork(HistoryWriter& writer, SinkMemory& memory, UnixMillis now, bool hurry) {
  HistoryReader& reader = writer.reader();
  TRY(Load(reader, memory));
  const PickRules rules{memory.sink, memory.traits.most_alerts, memory.options.storm, hurry};
  while (true) {
    Pick pick = PickMessage(TRY(reader.Deliveries("pending")), rules, now);
    if (pick.due.empty()) {
      if (!pick.next_at) return Work{};
      return Work{std::nullopt, std::max(*pick.next_at, memory.not_before)};
    }
    if (now < memory.not_before) return Work{std::nullopt, memory.not_before};
    Notification notification = TRY(Compose(writer, memory, pick, now));
    if (!notification.news.empty()) return Work{std::move(notification), std::nullopt};
  }
}

Result<std::vector<Delivery>> RecordOutcome(HistoryWriter& writer, SinkMemory& memory,
                                            const Notification& sent,
                                            const DeliveryOutcome& outcome, UnixMillis now) {
  const bool delivered = outcome.result == DeliveryResult::kDelivered;
  const bool pause = outcome.result == DeliveryResult::kRetry;
  const int failures = delivered ? 0 : memory.failures_in_a_row + 1;
  const UnixMillis not_before =
      now + outcome.retry_after
                .value_or(pause ? RestAfterFailures(failures) : std::chrono::milliseconds(0))
                .count();
  std::vector<Delivery> rows;
  TRY(writer.Transaction([&]() -> Status {
    rows.clear();
    const std::vector<Delivery> pending = TRY(writer.reader().Deliveries("pending"));
    if (delivered && memory.failures_in_a_row >= kAwayAfter) {
      TRY(Expedite(writer, pending, memory.sink, now));
    }
    for (const AlertNews& news : sent.news) {
      const Delivery after = AfterAttempt(news.delivery, outcome, sent.news.size() > 1, now);
      rows.push_back(after);
      if (delivered || IsPending(pending, after.id)) TRY(writer.SaveDelivery(after));
    }
    TRY(SaveEventOf(writer, rows.front(), outcome));
    if (!outcome.retry_after) return {};
    return writer.SetValue(NotBeforeKey(memory.sink), fmt::format("{}", not_before));
  }));
  memory.failures_in_a_row = pause ? failures : 0;
  memory.not_before = not_before;
  if (delivered) {
    for (const Delivery& row : rows) Remember(memory, row);
  }
  return rows;
}

Result<std::vector<Alert>> FindRefresh(HistoryWriter& writer, SinkMemory& memory, UnixMillis now) {
  TRY(Load(writer.reader(), memory));
  std::vector<Alert> alerts;
  for (Alert& alert : TRY(writer.reader().Alerts({}))) {
    const auto told = memory.acknowledged.find(alert.key);
    if (told == memory.acknowledged.end() || told->second != alert.sequence) continue;
    const bool is_recent =
        alert.state == AlertState::kResolved && alert.ends_at + kRefreshResolved >= now;
    if (alert.state == AlertState::kFiring || is_recent) alerts.push_back(std::move(alert));
  }
  return alerts;
}

Status BuryRemovedSinks(HistoryWriter& writer, const std::set<std::string>& configured,
                        UnixMillis now) {
  return writer.Transaction([&]() -> Status {
    std::map<std::string, int> buried;
    for (const Delivery& delivery : TRY(writer.reader().Deliveries("pending"))) {
      if (configured.contains(delivery.sink)) continue;
      TRY(Bury(writer, delivery, "the sink is no longer configured", now));
      ++buried[delivery.sink];
    }
    for (const auto& [sink, count] : buried) {
      TRY(writer.SaveEvent(
          "warning", SubjectOf(sink),
          fmt::format("{} undelivered messages were given up: the sink is no longer configured",
                      count)));
    }
    return {};
  });
}

}  // namespace couplingd
