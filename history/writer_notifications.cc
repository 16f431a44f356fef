#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "history/rows.h"
#include "history/writer.h"

namespace couplingd {
namespace {

constexpr std::array<std::string_view, 4> kDeliveryStates = {"pending", "delivered", "superseded",
                                                             "dead"};

// The same on every attempt; the lengths keep two different ones from reading alike.
std::string DeliveryId(const Delivery& delivery) {
  const std::string text =
      fmt::format("{}:{}:{}:{}:{}", delivery.alert_key.size(), delivery.alert_key,
                  delivery.sequence, delivery.sink.size(), delivery.sink);
  return HashHex(delivery.repeat == 0 ? text : fmt::format("{}:{}", text, delivery.repeat));
}

}  // namespace

Status SqlWriter::AddDelivery(const Delivery& delivery) {
  const UnixMillis now = clock_.Now();
  const Status saved = Transaction([&]() -> Status {
    Statement supersede = TRY(connection_->Prepare(
        "UPDATE deliveries SET state = 'superseded', last_outcome = :outcome, updated_at = :now "
        "WHERE sink = :sink AND alert_key = :key AND state = 'pending' "
        "AND (sequence < :sequence OR (sequence = :sequence AND repeat < :repeat))"));
    supersede.Bind(fmt::format("superseded by transition {}", delivery.sequence), now,
                   delivery.sink, delivery.alert_key, delivery.sequence, delivery.repeat);
    TRY(supersede.Run());
    Statement insert = TRY(connection_->Prepare(
        "INSERT INTO deliveries (delivery_id, sink, alert_key, sequence, repeat, alert_group, "
        "severity, attempts, next_attempt_at, state, message, receipt, last_outcome, updated_at) "
        "VALUES (:delivery_id, :sink, :key, :sequence, :repeat, :group, :severity, 0, "
        ":next_attempt_at, 'pending', '', '', '', :updated_at)"));
    insert.Bind(DeliveryId(delivery), delivery.sink, delivery.alert_key, delivery.sequence,
                delivery.repeat, delivery.group, ToString(delivery.severity),
                delivery.next_attempt_at, now);
    return insert.Run();
  });
  if (saved) return {};
  return std::unexpected(saved.error().Within(
      fmt::format("delivery of alert {} to {}", delivery.alert_key, delivery.sink)));
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
        "message = :message, receipt = :receipt, last_outcome = :last_outcome, "
        "updated_at = :updated_at WHERE id = :id"));
    update.Bind(delivery.attempts, delivery.next_attempt_at, delivery.state, delivery.message,
                delivery.receipt, delivery.last_outcome, delivery.updated_at, delivery.id);
    TRY(update.Run());
    if (connection_->Changes() == 1) return {};
    return Fail(ErrorKind::kNotFound, fmt::format("no delivery with id {} is stored", delivery.id));
  });
}

Status SqlWriter::WithdrawDelivery(std::int64_t id) {
  return Transaction([&]() -> Status {
    Statement restore = TRY(connection_->Prepare(
        "UPDATE deliveries SET state = 'pending', updated_at = :now WHERE state = 'superseded' "
        "AND id = (SELECT p.id FROM deliveries d JOIN deliveries p ON p.sink = d.sink "
        "AND p.alert_key = d.alert_key AND p.id < d.id WHERE d.id = :id "
        "ORDER BY p.id DESC LIMIT 1)"));
    restore.Bind(clock_.Now(), id);
    TRY(restore.Run());
    Statement withdraw = TRY(connection_->Prepare(
        "DELETE FROM deliveries WHERE id = :id AND state = 'pending' AND attempts = 0 "
        "AND message = ''"));
    withdraw.Bind(id);
    TRY(withdraw.Run());
    if (connection_->Changes() == 1) return {};
    return Fail(ErrorKind::kConflict, fmt::format("delivery {} has been begun", id));
  });
}

Status SqlWriter::SaveDecision(const NotificationDecision& decision) {
  return Transaction([&]() -> Status {
    Statement insert = TRY(connection_->Prepare(
        "INSERT INTO decisions (at, alert_key, sequence, sink, is_sent, reason, detail) "
        "SELECT :at, :key, :sequence, :sink, :is_sent, :reason, :detail "
        "WHERE NOT EXISTS (SELECT 1 FROM (SELECT * FROM decisions WHERE alert_key = :key "
        "AND sequence = :sequence AND sink = :sink ORDER BY id DESC LIMIT 1) "
        "WHERE is_sent = :is_sent AND reason = :reason AND detail = :detail)"));
    insert.Bind(decision.at, decision.alert_key, decision.sequence, decision.sink, decision.is_sent,
                decision.reason, decision.detail);
    return insert.Run();
  });
}

Result<std::int64_t> SqlWriter::SaveSilence(const Silence& silence) {
  return TransactionWithId([&]() -> Result<std::int64_t> {
    if (silence.id != 0) {
      Statement update = TRY(connection_->Prepare(
          "UPDATE silences SET ends_at = :ends_at, ended_by = :ended_by WHERE id = :id"));
      update.Bind(silence.ends_at, silence.ended_by, silence.id);
      TRY(update.Run());
      if (connection_->Changes() == 1) return silence.id;
      return Fail(ErrorKind::kNotFound, fmt::format("there is no silence {}", silence.id));
    }
    Statement insert = TRY(connection_->Prepare(
        "INSERT INTO silences (matchers, author, reason, created_at, starts_at, ends_at, "
        "until_step, ended_by) VALUES (:matchers, :author, :reason, :created_at, :starts_at, "
        ":ends_at, :until_step, :ended_by)"));
    insert.Bind(TextsToJson(silence.matchers), silence.author, silence.reason, silence.created_at,
                silence.starts_at, silence.ends_at, silence.until_step, silence.ended_by);
    TRY(insert.Run());
    return connection_->QueryInt("SELECT last_insert_rowid()");
  });
}

Status SqlWriter::SaveAcknowledgement(const Acknowledgement& acknowledgement) {
  return Transaction([&]() -> Status {
    Statement save = TRY(connection_->Prepare(
        "INSERT OR REPLACE INTO acknowledgements (alert_key, sequence, author, reason, at) "
        "VALUES (:key, :sequence, :author, :reason, :at)"));
    save.Bind(acknowledgement.alert_key, acknowledgement.sequence, acknowledgement.author,
              acknowledgement.reason, acknowledgement.at);
    return save.Run();
  });
}

}  // namespace couplingd
