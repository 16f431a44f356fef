// The one writer of a state directory.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "history/lock.h"
#include "history/reader.h"
#include "history/sqlite.h"
#include "history/store.h"

namespace couplingd {

// Transactions, runs, checkpoints and evaluations are in writer.cc; estimates, alerts and events in
// writer_alerts.cc, what sinks are told in writer_notifications.cc.
class SqlWriter final : public HistoryWriter {
 public:
  SqlWriter(DirectoryLock lock, std::unique_ptr<Connection> connection, const Clock& clock)
      : lock_(std::move(lock)),
        connection_(std::move(connection)),
        reader_(*connection_, connection_->path()),
        clock_(clock) {}

  HistoryReader& reader() override { return reader_; }
  Status Transaction(const std::function<Status()>& body) override;
  Result<std::int64_t> SaveRun(const Run& run) override;
  Result<std::int64_t> SaveCheckpoint(const Checkpoint& checkpoint) override;
  Result<std::int64_t> SaveEvaluation(const Evaluation& evaluation) override;
  Result<std::int64_t> SaveLosses(std::int64_t run_id, int generation, const std::string& source,
                                  const std::vector<LossPoint>& points) override;
  Status SaveCoupling(const CouplingEstimate& estimate) override;
  Status SaveForecast(const Forecast& forecast) override;
  Status SaveAlert(const Alert& alert) override;
  Status AddDelivery(const Delivery& delivery) override;
  Status SaveDelivery(const Delivery& delivery) override;
  Status WithdrawDelivery(std::int64_t id) override;
  Status SaveDecision(const NotificationDecision& decision) override;
  Result<std::int64_t> SaveSilence(const Silence& silence) override;
  Status SaveAcknowledgement(const Acknowledgement& acknowledgement) override;
  Status SaveEvent(const std::string& level, const std::string& subject,
                   const std::string& text) override;
  Status SetValue(const std::string& key, const std::string& value) override;
  Status CheckpointLog() override;

 private:
  Status RunOutermost(const std::function<Status()>& body);
  Status RunNested(const std::function<Status()>& body);
  // Where SQLite itself rolled the open transaction back: why.
  Status VerifyTransactionStands();
  Result<std::int64_t> InsertRun(const Run& run);
  Result<std::int64_t> InsertCheckpoint(const Checkpoint& checkpoint);
  Status UpdateCheckpoint(const Checkpoint& checkpoint);
  Result<std::int64_t> InsertEvaluation(const Evaluation& evaluation);
  Status ReplaceScores(std::int64_t evaluation_id, const std::vector<Score>& scores);
  Status InsertAlert(const Alert& alert);
  // The body's id, from a transaction of its own or within the open one.
  Result<std::int64_t> TransactionWithId(const std::function<Result<std::int64_t>()>& body);

  DirectoryLock lock_;  // released after the connection is closed
  std::unique_ptr<Connection> connection_;
  SqlReader reader_;
  const Clock& clock_;
  int depth_ = 0;              // of open transactions
  std::optional<Error> lost_;  // why the open transaction is gone
};

}  // namespace couplingd
