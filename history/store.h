// The history: a SQLite database and the score files beside it.
//
// One process writes: HistoryWriter holds an exclusive lock on the state directory and the only
// connection that writes or checkpoints the write-ahead log (design, point 11). Any number of
// HistoryReaders read beside it. Neither class is thread-safe: one thread at a time per object.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "records/alert.h"
#include "records/coupling.h"
#include "records/loss.h"
#include "records/run.h"
#include "records/score.h"

namespace couplingd {

inline constexpr std::string_view kDatabaseName = "history.db";  // within the state directory

// Empty and absent members select everything; bounds belong to the range. A row whose step, tokens
// or axes are unknown does not match a bound on them; what a noun cannot have (the step of an
// alert) is not asked of it. `limit` 0 is unlimited.
struct HistoryFilter {
  std::string run;
  std::string family;
  std::string task;  // with metric: checkpoints that have such a score; couplings, forecasts and
                     // alerts of such an axis
  std::string metric;
  std::optional<std::int64_t> min_step, max_step;
  std::optional<double> min_tokens, max_tokens;
  // finished_at of evaluations, updated_at of checkpoints, when couplings, forecasts and alert
  // transitions were recorded. Where the newest of several is returned, it is the newest within
  // this range: `until` shows the state as of then.
  std::optional<UnixMillis> since, until;
  std::optional<int> generation;  // absent: each run's newest only; 0: all
  std::int64_t limit = 0;
};

// A problem or a notable event, for `status` and the log: newest first when listed.
struct Event {
  UnixMillis at = 0;
  std::string level;    // info, warning, error
  std::string subject;  // run, sink, file, …
  std::string text;
  std::int64_t count = 1;  // repetitions of the same text in a row are counted, not stored again
};

class HistoryReader {
 public:
  // `database` is the file. kNotFound where there is none; kUnsupported where its schema is newer
  // than this program. Opened read-only, beside a living writer or after a dead one, whose
  // write-ahead log is read too. Where nothing can be written beside the database (a read-only file
  // system, another user's folder), a snapshot is read and Note() says so: the file itself where
  // its log is empty, else a private copy of both; kConflict where a writer lives there. A query
  // that runs longer than `limit` fails with kUnavailable. Each query sees one consistent state.
  static Result<std::unique_ptr<HistoryReader>> Open(
      const std::string& database, std::chrono::milliseconds limit = std::chrono::seconds(30));
  virtual ~HistoryReader() = default;

  virtual Result<std::vector<Run>> Runs() = 0;
  virtual Result<std::optional<Run>> FindRun(const std::string& name) = 0;
  // In order of run, generation, step.
  virtual Result<std::vector<Checkpoint>> Checkpoints(const HistoryFilter& filter) = 0;
  virtual Result<std::optional<Checkpoint>> FindCheckpoint(std::int64_t id) = 0;
  // In order of discovery.
  virtual Result<std::vector<Checkpoint>> CheckpointsInState(CheckpointState state) = 0;
  // Of one checkpoint, with their scores, oldest first.
  virtual Result<std::vector<Evaluation>> Evaluations(std::int64_t checkpoint_id) = 0;
  // In order of run, generation, step, task, metric. Where a step was evaluated again in the same
  // series, the newest evaluation only; what differs in its series key stands side by side.
  // `parameters` is the checkpoint's, else the run's.
  virtual Result<std::vector<ScoreRow>> Scores(const HistoryFilter& filter) = 0;
  // In order of run, generation, step; tokens of a log that lacks them from the run's tokens per
  // step.
  virtual Result<std::vector<LossRow>> Losses(const HistoryFilter& filter) = 0;
  // The newest estimate per (run or family, generation, axes, over, at), in order of `at`.
  virtual Result<std::vector<CouplingEstimate>> Couplings(const HistoryFilter& filter) = 0;
  // Of every series of couplings, all generations, as recorded up to `until` (absent: all).
  virtual Result<std::vector<LookCount>> Looks(std::optional<UnixMillis> until) = 0;
  // The newest forecast per (run or family, axes, quantity, method).
  virtual Result<std::vector<Forecast>> Forecasts(const HistoryFilter& filter) = 0;
  // The newest transition of every alert key, firing first, then newest first.
  virtual Result<std::vector<Alert>> Alerts(const HistoryFilter& filter) = 0;
  virtual Result<std::optional<Alert>> FindAlert(const std::string& key, std::int64_t sequence) = 0;
  // All transitions, oldest first.
  virtual Result<std::vector<Alert>> AlertLog(const HistoryFilter& filter) = 0;
  // When something was recorded or changed within since and until: checkpoints (their discovery and
  // last change), evaluations, couplings, forecasts, alert transitions and deliveries; rising, each
  // once.
  virtual Result<std::vector<UnixMillis>> RecordedTimes(const HistoryFilter& filter) = 0;
  // Of all states (""), or of one ("pending", "delivered", "superseded", "dead"), those due first
  // in front.
  virtual Result<std::vector<Delivery>> Deliveries(const std::string& state) = 0;
  // What each sink was told about each alert that it has rows of.
  virtual Result<std::vector<SinkLedger>> SinkLedgers() = 0;
  // What was decided about an alert, oldest first; all of its transitions.
  virtual Result<std::vector<NotificationDecision>> Decisions(const std::string& alert_key) = 0;
  virtual Result<std::vector<Silence>> Silences() = 0;  // newest first, ended ones too
  virtual Result<std::vector<Acknowledgement>> Acknowledgements() = 0;
  virtual Result<std::vector<Event>> Events(std::int64_t limit) = 0;  // newest first; 0: all
  // Small named values (last evaluation time, state of a rule, …). Absent: nullopt.
  virtual Result<std::optional<std::string>> Value(const std::string& key) = 0;
  // Folder of the score and plan files of this database.
  virtual std::string ScoresDirectory() const = 0;
  // One sentence where this is a snapshot that later writes do not reach, else empty.
  virtual std::string Note() const = 0;
};

class HistoryWriter {
 public:
  // Makes the directory (0700) and the database (0600) if need be, takes the lock, runs a quick
  // check, migrates the schema. kConflict names the process that holds the lock. kInvalidData for a
  // damaged database, which is left as it is. A directory that already holds other things keeps its
  // mode; others' write access and network file systems become events.
  static Result<std::unique_ptr<HistoryWriter>> Open(const std::string& directory,
                                                     const Clock& clock);
  virtual ~HistoryWriter() = default;

  // Reads through the writing connection: sees what the open transaction wrote.
  virtual HistoryReader& reader() = 0;

  // Everything `body` writes commits together and durably, or not at all where it returns an error.
  // Calls may nest: an inner error undoes the inner part, the outermost commits. Every method below
  // is a transaction of its own where none is open. A NaN anywhere is kInvalidData (every other
  // double comes back as it was, but for −0, which comes back as 0); an id that is not stored is
  // kNotFound; a full disk is kExhausted, and the writer works again once there is space.
  virtual Status Transaction(const std::function<Status()>& body) = 0;

  // Inserts or updates by name; returns the id. `generation` is kept as given.
  virtual Result<std::int64_t> SaveRun(const Run& run) = 0;
  // Inserts where id is 0 (returns the new id), else updates every column.
  virtual Result<std::int64_t> SaveCheckpoint(const Checkpoint& checkpoint) = 0;
  // An evaluation with its scores. The same (checkpoint, key) again replaces the row.
  virtual Result<std::int64_t> SaveEvaluation(const Evaluation& evaluation) = 0;
  // The training losses of one log (`source`): what that log gave before is replaced, and so is
  // what another one gave at the same steps. Returns how many points were stored, 0 where the same
  // ones of that log are there already.
  virtual Result<std::int64_t> SaveLosses(std::int64_t run_id, int generation,
                                          const std::string& source,
                                          const std::vector<LossPoint>& points) = 0;
  // Every version is kept with the time of its recording; the same again as the newest is not
  // stored twice.
  virtual Status SaveCoupling(const CouplingEstimate& estimate) = 0;
  virtual Status SaveForecast(const Forecast& forecast) = 0;
  // A transition of an alert. A sequence that does not rise is kConflict.
  virtual Status SaveAlert(const Alert& alert) = 0;
  // A pending delivery of a stored transition: sink, alert_key, sequence, repeat, group, severity
  // and next_attempt_at are taken, the rest is given. Older deliveries of the same alert that the
  // sink has not acknowledged become "superseded": it gets the newest state only, and a resolved
  // alert whose firing was superseded must say that it fired and resolved.
  virtual Status AddDelivery(const Delivery& delivery) = 0;
  // By id: attempts, next attempt, state, message, receipt, outcome and time; the rest never
  // changes. A delivery that was superseded while an attempt was under way does not become pending
  // again.
  virtual Status SaveDelivery(const Delivery& delivery) = 0;
  // Takes a pending delivery out of the outbox of which no attempt was begun, else kConflict. The
  // one that it superseded becomes pending again: that news has still to arrive.
  virtual Status WithdrawDelivery(std::int64_t id) = 0;
  // Not stored again where the newest of the same transition and sink says the same.
  virtual Status SaveDecision(const NotificationDecision& decision) = 0;
  // Inserts where id is 0 (returns the new id), else updates its end.
  virtual Result<std::int64_t> SaveSilence(const Silence& silence) = 0;
  // The newest of a firing counts.
  virtual Status SaveAcknowledgement(const Acknowledgement& acknowledgement) = 0;
  virtual Status SaveEvent(const std::string& level, const std::string& subject,
                           const std::string& text) = 0;
  virtual Status SetValue(const std::string& key, const std::string& value) = 0;

  // Moves the write-ahead log into the database; its failure (a full disk) is reported, never
  // silent. To be called now and then: nothing else does it. A log beyond 16 MiB is truncated as
  // well, kConflict where a reader prevents that.
  virtual Status CheckpointLog() = 0;
};

}  // namespace couplingd
