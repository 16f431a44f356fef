#include "alerts/notify.h"

#include <fmt/format.h>

#include <algorithm>

#include "alerts/notification_policy.h"

namespace couplingd {
namespace {

Status Revive(HistoryWriter& history, Delivery delivery, UnixMillis now) {
  delivery.state = "pending";
  delivery.next_attempt_at = now;
  delivery.attempts = 0;
  delivery.message = delivery.delivery_id;  // by itself: its message is known to be refused
  delivery.updated_at = now;
  return history.SaveDelivery(delivery);
}

bool IsNewest(const Delivery& delivery, const std::vector<SinkLedger>& ledgers) {
  return std::ranges::any_of(ledgers, [&](const SinkLedger& ledger) {
    return ledger.sink == delivery.sink && ledger.alert_key == delivery.alert_key &&
           ledger.newest_id == delivery.id;
  });
}

}  // namespace

Result<NotificationState> ReadNotificationState(HistoryReader& history) {
  NotificationState state;
  state.alerts = TRY(history.Alerts({}));
  state.ledgers = TRY(history.SinkLedgers());
  state.silences = TRY(history.Silences());
  state.acknowledgements = TRY(history.Acknowledgements());
  const bool needs_steps = std::ranges::any_of(
      state.silences, [](const Silence& silence) { return silence.until_step.has_value(); });
  if (!needs_steps) return state;
  std::map<std::int64_t, std::string> names;
  for (const Run& run : TRY(history.Runs())) names[run.id] = run.name;
  for (const Checkpoint& checkpoint : TRY(history.Checkpoints({}))) {
    std::int64_t& latest = state.latest_step[names[checkpoint.run_id]];
    latest = std::max(latest, checkpoint.step);
  }
  return state;
}

Status NotifySinks(HistoryWriter& history, const Config& config, UnixMillis now) {
  return history.Transaction([&]() -> Status {
    const NotificationState state = TRY(ReadNotificationState(history.reader()));
    for (const NotificationStep& step : DecideNotifications(state, config, now)) {
      if (step.withdraw) TRY(history.WithdrawDelivery(*step.withdraw));
      if (step.add) TRY(history.AddDelivery(*step.add));
      TRY(history.SaveDecision(step.decision));
    }
    return {};
  });
}

Result<int> Redeliver(HistoryWriter& history, std::int64_t id, UnixMillis now) {
  for (const Delivery& delivery : TRY(history.reader().Deliveries(""))) {
    if (delivery.id != id) continue;
    if (delivery.state != "dead") {
      return Fail(ErrorKind::kConflict, fmt::format("delivery {} is {}", id, delivery.state),
                  "only what was given up can be delivered again");
    }
    if (!IsNewest(delivery, TRY(history.reader().SinkLedgers()))) {
      return Fail(ErrorKind::kConflict,
                  fmt::format("delivery {} is out of date: {} has newer word of that alert", id,
                              delivery.sink));
    }
    TRY(Revive(history, delivery, now));
    return 1;
  }
  return Fail(ErrorKind::kNotFound, fmt::format("there is no delivery {}", id),
              "see couplingctl alerts deliveries");
}

Result<int> RedeliverAll(HistoryWriter& history, const std::string& sink, UnixMillis now) {
  int revived = 0;
  TRY(history.Transaction([&]() -> Status {
    const std::vector<SinkLedger> ledgers = TRY(history.reader().SinkLedgers());
    for (const Delivery& delivery : TRY(history.reader().Deliveries("dead"))) {
      if (!sink.empty() && delivery.sink != sink) continue;
      if (!IsNewest(delivery, ledgers)) continue;
      TRY(Revive(history, delivery, now));
      ++revived;
    }
    return {};
  }));
  return revived;
}

}  // namespace couplingd
