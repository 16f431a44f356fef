#include "history/writer.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/files.h"
#include "history/schema.h"
#include "history/state_directory.h"

namespace couplingd {
namespace {

constexpr std::int64_t kLargeLogBytes = 16 << 20;
constexpr std::chrono::milliseconds kTruncationPatience{250};

Result<std::int64_t> ReadId(Statement& statement) {
  std::int64_t id = 0;
  if (TRY(statement.Step())) statement.Read(id);
  TRY(statement.Run());
  return id;
}

}  // namespace

Result<std::unique_ptr<HistoryWriter>> HistoryWriter::Open(const std::string& directory,
                                                           const Clock& clock) {
  const std::vector<std::string> remarks = TRY(PrepareStateDirectory(directory));
  DirectoryLock lock = TRY(DirectoryLock::Acquire(directory));
  TRY(PrepareDatabaseFile(directory));
  std::unique_ptr<Connection> connection =
      TRY(Connection::Open(JoinPath(directory, kDatabaseName), Connection::Access::kWrite));
  TRY(PrepareSchema(*connection));
  TRY(connection->SyncLog());
  auto writer = std::make_unique<SqlWriter>(std::move(lock), std::move(connection), clock);
  for (const std::string& remark : remarks) TRY(writer->SaveEvent("warning", "store", remark));
  return writer;
}

Status SqlWriter::Transaction(const std::function<Status()>& body) {
  return depth_ == 0 ? RunOutermost(body) : RunNested(body);
}

Status SqlWriter::RunOutermost(const std::function<Status()>& body) {
  lost_.reset();
  TRY(connection_->Execute("BEGIN IMMEDIATE"));
  ++depth_;
  Status outcome = body();
  --depth_;
  if (outcome) outcome = VerifyTransactionStands();
  if (outcome) outcome = connection_->Execute("COMMIT");
  if (connection_->InTransaction()) {
    const Status undone = connection_->Execute("ROLLBACK");
    if (outcome && !undone) return undone;
  }
  return outcome;
}

Status SqlWriter::RunNested(const std::function<Status()>& body) {
  TRY(VerifyTransactionStands());
  TRY(connection_->Execute("SAVEPOINT nested"));
  ++depth_;
  Status outcome = body();
  --depth_;
  if (!connection_->InTransaction() && !outcome && !lost_) lost_ = outcome.error();
  if (outcome) outcome = VerifyTransactionStands();
  if (!connection_->InTransaction()) return outcome;
  if (!outcome) TRY(connection_->Execute("ROLLBACK TO nested"));
  TRY(connection_->Execute("RELEASE nested"));
  return outcome;
}

Status SqlWriter::VerifyTransactionStands() {
  if (connection_->InTransaction()) return {};
  if (lost_) return std::unexpected(lost_->Within("the transaction was undone"));
  return Fail(ErrorKind::kExhausted,
              fmt::format("database {}: SQLite undid the transaction", connection_->path()),
              "the disk is full or failing; it is tried again", true);
}

Result<std::int64_t> SqlWriter::TransactionWithId(
    const std::function<Result<std::int64_t>()>& body) {
  std::int64_t id = 0;
  TRY(Transaction([&]() -> Status {
    id = TRY(body());
    return {};
  }));
  return id;
}

Result<std::int64_t> SqlWriter::SaveRun(const Run& run) {
  const Result<std::int64_t> id = TransactionWithId([&] { return InsertRun(run); });
  if (!id) return std::unexpected(id.error().Within(fmt::format("run \"{}\"", run.name)));
  return id;
}

Result<std::int64_t> SqlWriter::InsertRun(const Run& run) {
  if (run.name.empty()) return Fail(ErrorKind::kInvalidData, "a run must have a name");
  Statement insert = TRY(connection_->Prepare(
      "INSERT INTO runs (name, family, path, parameters, d_model, tokens_per_step, generation) "
      "VALUES (:name, :family, :path, :parameters, :d_model, :tokens_per_step, :generation) "
      "ON CONFLICT (name) DO UPDATE SET family = excluded.family, path = excluded.path, "
      "parameters = excluded.parameters, d_model = excluded.d_model, "
      "tokens_per_step = excluded.tokens_per_step, generation = excluded.generation "
      "RETURNING id"));
  insert.Bind(run.name, run.family, run.path, run.parameters, run.d_model, run.tokens_per_step,
              run.generation);
  return ReadId(insert);
}

Result<std::int64_t> SqlWriter::SaveCheckpoint(const Checkpoint& checkpoint) {
  const Result<std::int64_t> id = TransactionWithId([&]() -> Result<std::int64_t> {
    if (checkpoint.id == 0) return InsertCheckpoint(checkpoint);
    TRY(UpdateCheckpoint(checkpoint));
    return checkpoint.id;
  });
  if (!id) return std::unexpected(id.error().Within(fmt::format("checkpoint {}", checkpoint.path)));
  return id;
}

Result<std::int64_t> SqlWriter::InsertCheckpoint(const Checkpoint& checkpoint) {
  Statement insert = TRY(connection_->Prepare(
      "INSERT INTO checkpoints (run_id, generation, step, tokens, parameters, path, signature, "
      "weights_hash, state, reason, attempts, written_at, discovered_at, updated_at) VALUES "
      "(:run_id, "
      ":generation, :step, :tokens, :parameters, :path, :signature, :weights_hash, :state, "
      ":reason, :attempts, :written_at, :discovered_at, :updated_at) RETURNING id"));
  insert.Bind(checkpoint.run_id, checkpoint.generation, checkpoint.step, checkpoint.tokens,
              checkpoint.parameters, checkpoint.path, checkpoint.signature, checkpoint.weights_hash,
              ToString(checkpoint.state), checkpoint.reason, checkpoint.attempts,
              checkpoint.written_at, checkpoint.discovered_at, checkpoint.updated_at);
  return ReadId(insert);
}

Status SqlWriter::UpdateCheckpoint(const Checkpoint& checkpoint) {
  Statement update = TRY(connection_->Prepare(
      "UPDATE checkpoints SET run_id = :run_id, generation = :generation, step = :step, "
      "tokens = :tokens, parameters = :parameters, path = :path, signature = :signature, "
      "weights_hash = :weights_hash, state = :state, reason = :reason, attempts = :attempts, "
      "written_at = :written_at, discovered_at = :discovered_at, updated_at = :updated_at WHERE id "
      "= :id"));
  update.Bind(checkpoint.run_id, checkpoint.generation, checkpoint.step, checkpoint.tokens,
              checkpoint.parameters, checkpoint.path, checkpoint.signature, checkpoint.weights_hash,
              ToString(checkpoint.state), checkpoint.reason, checkpoint.attempts,
              checkpoint.written_at, checkpoint.discovered_at, checkpoint.updated_at,
              checkpoint.id);
  TRY(update.Run());
  if (connection_->Changes() == 1) return {};
  return Fail(ErrorKind::kNotFound,
              fmt::format("no checkpoint with id {} is stored", checkpoint.id));
}

Result<std::int64_t> SqlWriter::SaveEvaluation(const Evaluation& evaluation) {
  const Result<std::int64_t> id = TransactionWithId([&]() -> Result<std::int64_t> {
    const std::int64_t row = TRY(InsertEvaluation(evaluation));
    TRY(ReplaceScores(row, evaluation.scores));
    return row;
  });
  if (!id) {
    return std::unexpected(id.error().Within(fmt::format(
        "evaluation of checkpoint {} with {}", evaluation.checkpoint_id, evaluation.pack)));
  }
  return id;
}

Result<std::int64_t> SqlWriter::InsertEvaluation(const Evaluation& evaluation) {
  Statement insert = TRY(connection_->Prepare(
      "INSERT INTO evaluations (checkpoint_id, key, series_key, pack, pack_hash, harness, device, "
      "dtype, plan_hash, scores_hash, started_at, finished_at) VALUES (:checkpoint_id, :key, "
      ":series_key, :pack, :pack_hash, :harness, :device, :dtype, :plan_hash, :scores_hash, "
      ":started_at, :finished_at) ON CONFLICT (checkpoint_id, key) DO UPDATE SET "
      "series_key = excluded.series_key, pack = excluded.pack, pack_hash = excluded.pack_hash, "
      "harness = excluded.harness, device = excluded.device, dtype = excluded.dtype, "
      "plan_hash = excluded.plan_hash, scores_hash = excluded.scores_hash, "
      "started_at = excluded.started_at, finished_at = excluded.finished_at RETURNING id"));
  insert.Bind(evaluation.checkpoint_id, evaluation.key, evaluation.series_key, evaluation.pack,
              evaluation.pack_hash, evaluation.harness, evaluation.device, evaluation.dtype,
              evaluation.plan_hash, evaluation.scores_hash, evaluation.started_at,
              evaluation.finished_at);
  return ReadId(insert);
}

Status SqlWriter::ReplaceScores(std::int64_t evaluation_id, const std::vector<Score>& scores) {
  Statement remove =
      TRY(connection_->Prepare("DELETE FROM scores WHERE evaluation_id = :evaluation"));
  remove.Bind(evaluation_id);
  TRY(remove.Run());
  for (const Score& score : scores) {
    Statement insert = TRY(
        connection_->Prepare("INSERT INTO scores (evaluation_id, task, metric, value, stderr, n) "
                             "VALUES (:evaluation, :task, :metric, :value, :stderr, :n)"));
    insert.Bind(evaluation_id, score.task, score.metric, score.value, score.stderr_value, score.n);
    const Status inserted = insert.Run();
    if (!inserted) {
      return std::unexpected(
          inserted.error().Within(fmt::format("score {}.{}", score.task, score.metric)));
    }
  }
  return {};
}

Status SqlWriter::CheckpointLog() {
  if (depth_ > 0) {
    return Fail(ErrorKind::kUsage, "the log cannot be moved while a transaction is open");
  }
  TRY(connection_->CopyLogToDatabase());
  struct stat status {};
  const bool is_large = ::stat((connection_->path() + "-wal").c_str(), &status) == 0 &&
                        status.st_size > kLargeLogBytes;
  return is_large ? connection_->TruncateLog(kTruncationPatience) : Status{};
}

}  // namespace couplingd
