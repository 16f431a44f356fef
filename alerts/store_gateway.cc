#include "alerts/store_gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "alerts/outbox.h"

namespace couplingd {
namespace {

std::string NotBeforeKey(const std::string& sink) { return "sink." + sink + ".not_before"; }

std::string SubjectOf(const std::string& sink) { return "sink " + sink; }

Status Load(HistoryReader& reader, SinkMemory& memory) {
  if (memory.loaded) return {};
  for (const Delivery& delivery : TRY(reader.Deliveries("delivered"))) {
    if (delivery.sink != memory.sink) continue;
    std::int64_t& newest = memory.acknowledged[delivery.alert_key];
    newest = std::max(newest, delivery.sequence);
  }
  if (const auto text = TRY(reader.Value(NotBeforeKey(memory.sink)))) {
    std::from_chars(text->data(), text->data() + text->size(), memory.not_before);
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

Notification NotificationOf(Alert alert, const Delivery& delivery, const SinkMemory& memory) {
  const auto acknowledged = memory.acknowledged.find(delivery.alert_key);
  const bool told = alert.state == AlertState::kResolved &&
                    acknowledged != memory.acknowledged.end() &&
                    acknowledged->second == delivery.sequence - 1;
  Notification notification;
  notification.delivery_id = delivery.delivery_id;
  notification.news.push_back({std::move(alert), delivery, told, "", ""});
  return notification;
}

bool IsPending(const std::vector<Delivery>& pending, std::int64_t id) {
  return std::ranges::find(pending, id, &Delivery::id) != pending.end();
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

}  // namespace

Result<Work> FindWork(HistoryWriter& writer, SinkMemory& memory, UnixMillis now) {
  HistoryReader& reader = writer.reader();
  TRY(Load(reader, memory));
  std::vector<Delivery> pending = TRY(reader.Deliveries("pending"));
  while (true) {
    const Pick pick = PickDelivery(pending, memory.sink, now);
    if (!pick.due) {
      if (!pick.next_at) return Work{};
      return Work{std::nullopt, std::max(*pick.next_at, memory.not_before)};
    }
    if (now < memory.not_before) return Work{std::nullopt, memory.not_before};
    std::optional<Alert> alert = TRY(reader.FindAlert(pick.due->alert_key, pick.due->sequence));
    if (alert) return Work{NotificationOf(std::move(*alert), *pick.due, memory), std::nullopt};
    TRY(Bury(writer, *pick.due, "the alert is no longer in the history", now));
    std::erase_if(pending, [&](const Delivery& row) { return row.id == pick.due->id; });
  }
}

Result<Delivery> RecordOutcome(HistoryWriter& writer, SinkMemory& memory, const Delivery& sent,
                               const DeliveryOutcome& outcome, UnixMillis now) {
  const Delivery after = AfterAttempt(sent, outcome, now);
  const bool delivered = outcome.result == DeliveryResult::kDelivered;
  const int failures = delivered ? 0 : memory.failures_in_a_row + 1;
  const bool pause = outcome.result == DeliveryResult::kRetry;
  const UnixMillis not_before =
      now + outcome.retry_after
                .value_or(pause ? RestAfterFailures(failures) : std::chrono::milliseconds(0))
                .count();
  TRY(writer.Transaction([&]() -> Status {
    const std::vector<Delivery> pending = TRY(writer.reader().Deliveries("pending"));
    if (delivered || IsPending(pending, sent.id)) TRY(writer.SaveDelivery(after));
    TRY(SaveEventOf(writer, after, outcome));
    if (!outcome.retry_after) return {};
    return writer.SetValue(NotBeforeKey(memory.sink), fmt::format("{}", not_before));
  }));
  memory.failures_in_a_row = pause ? failures : 0;
  memory.not_before = not_before;
  if (delivered) memory.acknowledged[sent.alert_key] = sent.sequence;
  return after;
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
