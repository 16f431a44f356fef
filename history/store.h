// The history: a SQLite database and the score files beside it.
//
// One process writes: HistoryWriter holds an exclusive lock on the state directory and the only connection that writes or
// checkpoints the write-ahead log (design, point 11). Any number of HistoryReaders read beside it.
// Neither class is thread-safe: one thread at a time per object.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "records/alert.h"
#include "records/coupling.h"
#include "records/run.h"
#include "records/score.h"

namespace couplingd {

// Empty and absent members select everything. `limit` 0 is unlimited.
struct HistoryFilter {
  std::string run;
  std::string family;
  std::string task;
  std::string metric;
  std::optional<std::int64_t> min_step, max_step;
  std::optional<double> min_tokens, max_tokens;
  std::optional<UnixMillis> since, until;  // finished_at of evaluations, updated_at of checkpoints and alerts
  std::optional<int> generation;           // absent: each run's newest only; 0: all
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
  // `database` is the file. kNotFound where there is none; kUnsupported where its schema is newer than this program.
  static Result<std::unique_ptr<HistoryReader>> Open(const std::string& database);
  virtual ~HistoryReader() = default;

  virtual Result<std::vector<Run>> Runs() = 0;
  virtual Result<std::optional<Run>> FindRun(const std::string& name) = 0;
  // In order of run, generation, step.
  virtual Result<std::vector<Checkpoint>> Checkpoints(const HistoryFilter& filter) = 0;
  virtual Result<std::optional<Checkpoint>> FindCheckpoint(std::int64_t id) = 0;
  virtual Result<std::vector<Checkpoint>> CheckpointsInState(CheckpointState state) = 0;
  // In order of run, generation, step, task, metric. Where a step was evaluated again, the newest evaluation only.
  virtual Result<std::vector<ScoreRow>> Scores(const HistoryFilter& filter) = 0;
  // The newest estimate per (run or family, generation, axes, over, at), in order of `at`.
  virtual Result<std::vector<CouplingEstimate>> Couplings(const HistoryFilter& filter) = 0;
  // The newest forecast per (run or family, axes, quantity, method).
  virtual Result<std::vector<Forecast>> Forecasts(const HistoryFilter& filter) = 0;
  // The newest transition of every alert key, firing first, then newest first.
  virtual Result<std::vector<Alert>> Alerts(const HistoryFilter& filter) = 0;
  virtual Result<std::optional<Alert>> FindAlert(const std::string& key, std::int64_t sequence) = 0;
  // All transitions, oldest first.
  virtual Result<std::vector<Alert>> AlertLog(const HistoryFilter& filter) = 0;
  // Of all states, or of one ("pending", "delivered", "superseded", "dead").
  virtual Result<std::vector<Delivery>> Deliveries(const std::string& state) = 0;
  virtual Result<std::vector<Event>> Events(std::int64_t limit) = 0;
  // Small named values (last evaluation time, state of a rule, …). Absent: nullopt.
  virtual Result<std::optional<std::string>> Value(const std::string& key) = 0;
  // Folder of the score and plan files of this database.
  virtual std::string ScoresDirectory() const = 0;
};

class HistoryWriter {
 public:
  // Makes the directory (0700) and the database if need be, takes the lock, migrates the schema, runs a quick check.
  // kConflict names the process that holds the lock.
  static Result<std::unique_ptr<HistoryWriter>> Open(const std::string& directory, const Clock& clock);
  virtual ~HistoryWriter() = default;

  // Reads through the writing connection: sees what the open transaction wrote.
  virtual HistoryReader& reader() = 0;

  // Everything `body` writes commits together and durably, or not at all where it returns an error. Calls may nest: the
  // outermost commits. Every method below is a transaction of its own where none is open.
  virtual Status Transaction(const std::function<Status()>& body) = 0;

  // Inserts or updates by name; returns the id. `generation` is kept as given.
  virtual Result<std::int64_t> SaveRun(const Run& run) = 0;
  // Inserts where id is 0 (returns the new id), else updates every column.
  virtual Result<std::int64_t> SaveCheckpoint(const Checkpoint& checkpoint) = 0;
  // An evaluation with its scores. The same (checkpoint, key) again replaces the row.
  virtual Result<std::int64_t> SaveEvaluation(const Evaluation& evaluation) = 0;
  virtual Status SaveCoupling(const CouplingEstimate& estimate) = 0;
  virtual Status SaveForecast(const Forecast& forecast) = 0;
  // A transition of an alert, and a pending delivery to each of the sinks named.
  virtual Status SaveAlert(const Alert& alert, const std::vector<std::string>& sinks) = 0;
  virtual Status SaveDelivery(const Delivery& delivery) = 0;  // by id
  virtual Status SaveEvent(const std::string& level, const std::string& subject,
                           const std::string& text) = 0;
  virtual Status SetValue(const std::string& key, const std::string& value) = 0;

  // Moves the write-ahead log into the database; its failure (a full disk) is reported, never silent.
  virtual Status CheckpointLog() = 0;
};

}  // namespace couplingd
