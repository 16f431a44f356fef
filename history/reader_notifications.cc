#include <fmt/format.h>

#include "history/reader.h"
#include "history/rows.h"

namespace couplingd {
namespace {

Result<SinkLedger> ReadLedger(Statement& row) {
  SinkLedger ledger;
  std::string state;
  row.Read(ledger.sink, ledger.alert_key, ledger.newest_sequence, ledger.newest_repeat,
           ledger.newest_id, ledger.newest_state, ledger.newest_fires, ledger.newest_attempted,
           ledger.newest_updated_at, ledger.waits_since, ledger.known_sequence, state);
  const std::optional<AlertState> known = ParseAlertState(state);
  if (!known) return UnknownText(fmt::format("alert {}", ledger.alert_key), "state", state);
  ledger.known_state = *known;
  return ledger;
}

}  // namespace

Result<std::vector<Delivery>> SqlReader::Deliveries(const std::string& state) {
  Conditions conditions;
  conditions.AddText("d.state = ?", state);
  Statement statement = TRY(connection_.Prepare(
      fmt::format("SELECT {} FROM deliveries d{} ORDER BY d.next_attempt_at, d.id",
                  kDeliveryColumns, conditions.where())));
  statement.BindAll(conditions.values());
  return ReadAll(statement, ReadDelivery);
}

// Through the indexes: the table keeps all that was ever delivered.
Result<std::vector<SinkLedger>> SqlReader::SinkLedgers() {
  Statement statement = TRY(connection_.Prepare(
      "SELECT d.sink, d.alert_key, d.sequence, d.repeat, d.id, d.state, n.state = 'firing', "
      "d.attempts > 0 OR d.message <> '', d.updated_at, "
      "ifnull((SELECT min(x.at) FROM deliveries w JOIN decisions x ON x.alert_key = w.alert_key "
      "AND x.sequence = w.sequence AND x.sink = w.sink AND x.is_sent "
      "WHERE w.sink = d.sink AND w.alert_key = d.alert_key AND w.repeat = 0 "
      "AND w.state IN ('pending', 'superseded') AND w.id > ifnull((SELECT max(l.id) "
      "FROM deliveries l WHERE l.sink = d.sink AND l.alert_key = d.alert_key "
      "AND l.state = 'delivered'), 0)), 0), "
      "ifnull(a.sequence, 0), ifnull(a.state, 'resolved') "
      "FROM (SELECT max(id) AS newest FROM deliveries GROUP BY sink, alert_key) "
      "JOIN deliveries d ON d.id = newest "
      "JOIN alerts n ON n.key = d.alert_key AND n.sequence = d.sequence "
      "LEFT JOIN alerts a ON a.id = (SELECT t.id FROM deliveries k "
      "JOIN alerts t ON t.key = k.alert_key AND t.sequence = k.sequence "
      "WHERE k.sink = d.sink AND k.alert_key = d.alert_key AND (k.state = 'delivered' "
      "OR (t.state = 'firing' AND (k.attempts > 0 OR k.message <> ''))) "
      "ORDER BY k.sequence DESC LIMIT 1)"));
  return ReadAll(statement, ReadLedger);
}

Result<std::vector<NotificationDecision>> SqlReader::Decisions(const std::string& alert_key) {
  Statement statement =
      TRY(connection_.Prepare("SELECT at, alert_key, sequence, sink, is_sent, reason, detail "
                              "FROM decisions WHERE alert_key = ? ORDER BY id"));
  statement.Bind(alert_key);
  return ReadAll(statement, ReadDecision);
}

Result<std::vector<Silence>> SqlReader::Silences() {
  Statement statement = TRY(
      connection_.Prepare("SELECT id, matchers, author, reason, created_at, starts_at, ends_at, "
                          "until_step, ended_by FROM silences ORDER BY id DESC"));
  return ReadAll(statement, ReadSilence);
}

Result<std::vector<Acknowledgement>> SqlReader::Acknowledgements() {
  Statement statement = TRY(connection_.Prepare(
      "SELECT alert_key, sequence, author, reason, at FROM acknowledgements ORDER BY at"));
  return ReadAll(statement, ReadAcknowledgement);
}

}  // namespace couplingd
