// What reads the database, for both the read-only connection and the writing one.
#pragma once

#include <string>
#include <vector>

#include "history/conditions.h"
#include "history/sqlite.h"
#include "history/store.h"

namespace couplingd {

// Reads through a connection that outlives it. Runs, checkpoints and scores are in
// reader_scores.cc, estimates and alerts in reader_alerts.cc, what sinks
// are told in reader_notifications.cc.
class SqlReader : public HistoryReader {
 public:
  // `database` is the file that was asked for, beside which the score files lie.
  SqlReader(Connection& connection, std::string database)
      : connection_(connection), database_(std::move(database)) {}

  Result<std::vector<Run>> Runs() override;
  Result<std::optional<Run>> FindRun(const std::string& name) override;
  Result<std::vector<Checkpoint>> Checkpoints(const HistoryFilter& filter) override;
  Result<std::optional<Checkpoint>> FindCheckpoint(std::int64_t id) override;
  Result<std::vector<Checkpoint>> CheckpointsInState(CheckpointState state) override;
  Result<std::vector<Evaluation>> Evaluations(std::int64_t checkpoint_id) override;
  Result<std::vector<ScoreRow>> Scores(const HistoryFilter& filter) override;
  Result<std::vector<LossRow>> Losses(const HistoryFilter& filter) override;
  Result<std::vector<CouplingEstimate>> Couplings(const HistoryFilter& filter) override;
  Result<std::vector<LookCount>> Looks(std::optional<UnixMillis> until) override;
  Result<std::vector<Forecast>> Forecasts(const HistoryFilter& filter) override;
  Result<std::vector<Alert>> Alerts(const HistoryFilter& filter) override;
  Result<std::optional<Alert>> FindAlert(const std::string& key, std::int64_t sequence) override;
  Result<std::vector<Alert>> AlertLog(const HistoryFilter& filter) override;
  Result<std::vector<UnixMillis>> RecordedTimes(const HistoryFilter& filter) override;
  Result<std::vector<Delivery>> Deliveries(const std::string& state) override;
  Result<std::vector<SinkLedger>> SinkLedgers() override;
  Result<std::vector<NotificationDecision>> Decisions(const std::string& alert_key) override;
  Result<std::vector<Silence>> Silences() override;
  Result<std::vector<Acknowledgement>> Acknowledgements() override;
  Result<std::vector<Event>> Events(std::int64_t limit) override;
  Result<std::optional<std::string>> Value(const std::string& key) override;
  std::string ScoresDirectory() const override;
  std::string Note() const override { return ""; }

 private:
  Connection& connection_;
  const std::string database_;
};

}  // namespace couplingd
