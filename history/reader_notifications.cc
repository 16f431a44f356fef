#include <fmt/format.h>

#include <map>
#include <utility>

#include "history/reader.h"
#include "history/rows.h"

namespace couplingd {

Result<std::vector<Delivery>> SqlReader::Deliveries(const std::string& state) {
  Conditions conditions;
  conditions.AddText("d.state = ?", state);
  Statement statement = TRY(connection_.Prepare(
      fmt::format("SELECT {} FROM deliveries d{} ORDER BY d.next_attempt_at, d.id",
                  kDeliveryColumns, conditions.where())));
  statement.BindAll(conditions.values());
  return ReadAll(statement, ReadDelivery);
}

// Beside max(), the other columns are those of the row that holds the maximum (SQLite, "bare
// columns").
Result<std::vector<SinkLedger>> SqlReader::SinkLedgers() {
  std::vector<SinkLedger> ledgers;
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  Statement newest = TRY(connection_.Prepare(
      "SELECT sink, alert_key, sequence, repeat, max(id), state, attempts > 0 OR message <> '', "
      "updated_at FROM deliveries GROUP BY sink, alert_key"));
  while (TRY(newest.Step())) {
    SinkLedger& ledger = ledgers.emplace_back();
    newest.Read(ledger.sink, ledger.alert_key, ledger.newest_sequence, ledger.newest_repeat,
                ledger.newest_id, ledger.newest_state, ledger.newest_attempted,
                ledger.newest_updated_at);
    places[{ledger.sink, ledger.alert_key}] = ledgers.size() - 1;
  }
  Statement known = TRY(
      connection_.Prepare("SELECT d.sink, d.alert_key, max(d.sequence), a.state FROM deliveries d "
                          "JOIN alerts a ON a.key = d.alert_key AND a.sequence = d.sequence "
                          "WHERE d.state = 'delivered' OR d.attempts > 0 OR d.message <> '' "
                          "GROUP BY d.sink, d.alert_key"));
  while (TRY(known.Step())) {
    std::string sink, key, state;
    std::int64_t sequence = 0;
    known.Read(sink, key, sequence, state);
    SinkLedger& ledger = ledgers[places.at({sink, key})];
    ledger.known_sequence = sequence;
    const std::optional<AlertState> parsed = ParseAlertState(state);
    if (!parsed) return UnknownText(fmt::format("alert {}", key), "state", state);
    ledger.known_state = *parsed;
  }
  return ledgers;
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
