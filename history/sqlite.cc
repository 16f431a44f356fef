#include "history/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

namespace couplingd {
namespace {

constexpr int kWriterPatienceMillis = 5000;
constexpr int kReaderPatienceMillis = 2000;
constexpr std::size_t kMaxIdleStatements = 100;
constexpr int kOperationsBetweenTimeChecks = 1000;

bool IsOutOfSpace(int errno_value) {
  return errno_value == ENOSPC || errno_value == EDQUOT || errno_value == EFBIG;
}

Error DiskError(const std::string& message, int errno_value) {
  const std::string text =
      errno_value == 0 ? message : fmt::format("{}: {}", message, std::strerror(errno_value));
  if (IsOutOfSpace(errno_value)) {
    return {ErrorKind::kExhausted, text,
            "free space or raise the limit; what was committed is safe, the rest is tried again",
            true};
  }
  return {ErrorKind::kUnavailable, text, "check the disk and the kernel's log", true};
}

Error OpenError(const std::string& message, int errno_value) {
  const std::string text =
      errno_value == 0 ? message : fmt::format("{}: {}", message, std::strerror(errno_value));
  if (errno_value == ENOENT) return {ErrorKind::kNotFound, text, "", false};
  if (errno_value == EMFILE || errno_value == ENFILE || IsOutOfSpace(errno_value)) {
    return {ErrorKind::kExhausted, text, "free space or raise the limit", true};
  }
  return {ErrorKind::kPermission, text,
          "give the user of this program access to the database and its folder", false};
}

Error ConstraintError(int code, const std::string& message) {
  switch (code) {
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return {ErrorKind::kNotFound, message, "what it belongs to is not stored", false};
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return {ErrorKind::kConflict, message, "it is stored already", false};
    default:
      return {ErrorKind::kInvalidData, message, "", false};
  }
}

int LastErrnoOf(sqlite3_file* file) {
  int errno_value = 0;
  if (file == nullptr || file->pMethods == nullptr) return 0;
  file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &errno_value);
  return errno_value;
}

// Why the system refused. SQLite keeps the reason of a failed write (a quota, a size limit) with
// the file only.
int SystemErrno(sqlite3* handle, int code) {
  if (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_FSYNC) {
    for (const int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
      sqlite3_file* file = nullptr;
      sqlite3_file_control(handle, "main", which, &file);
      if (const int errno_value = LastErrnoOf(file); errno_value != 0) return errno_value;
    }
  }
  return sqlite3_system_errno(handle);
}

// The file name as a URI, in which ?, # and % would mean something.
std::string UriOf(const std::string& path, std::string_view parameters) {
  std::string uri = "file:";
  // Two slashes at the start would name a host.
  const std::size_t begin = path.starts_with('/') ? path.find_first_not_of('/') : 0;
  if (path.starts_with('/')) uri += '/';
  for (const char c : path.substr(begin == std::string::npos ? path.size() : begin)) {
    const bool is_special = c == '?' || c == '#' || c == '%';
    uri += is_special ? fmt::format("%{:02X}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return fmt::format("{}?{}", uri, parameters);
}

}  // namespace

Statement::Statement(Connection& connection, std::string sql, sqlite3_stmt* handle)
    : connection_(&connection), sql_(std::move(sql)), handle_(handle) {}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      sql_(std::move(other.sql_)),
      handle_(std::exchange(other.handle_, nullptr)),
      parameter_(other.parameter_),
      status_(std::move(other.status_)) {}

Statement::~Statement() {
  if (handle_ != nullptr) connection_->GiveBack(std::move(sql_), handle_);
}

Statement& Statement::BindAll(const std::vector<SqlValue>& values) {
  for (const SqlValue& value : values) {
    std::visit([this](const auto& bound) { BindNext(bound); }, value);
  }
  return *this;
}

void Statement::BindNext(std::int64_t value) {
  Check(sqlite3_bind_int64(handle_, ++parameter_, value));
}

void Statement::BindNext(double value) {
  ++parameter_;
  if (!std::isnan(value)) return Check(sqlite3_bind_double(handle_, parameter_, value));
  const char* name = sqlite3_bind_parameter_name(handle_, parameter_);
  if (status_) {
    status_ =
        Fail(ErrorKind::kInvalidData, fmt::format("{} is not a number (NaN), which is never stored",
                                                  name != nullptr ? name + 1 : "a value"));
  }
}

void Statement::BindNext(std::string_view value) {
  Check(sqlite3_bind_text64(handle_, ++parameter_, value.data() == nullptr ? "" : value.data(),
                            value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::BindNull() { Check(sqlite3_bind_null(handle_, ++parameter_)); }

void Statement::Check(int code) {
  if (code != SQLITE_OK && status_) status_ = std::unexpected(connection_->ErrorOf(code));
}

Result<bool> Statement::Step() {
  if (!status_) return std::unexpected(status_.error());
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected(connection_->ErrorOf(code));
}

Status Statement::Run() {
  while (TRY(Step())) {
  }
  return {};
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}
void Statement::ReadColumn(int column, std::int64_t& field) const {
  field = sqlite3_column_int64(handle_, column);
}
void Statement::ReadColumn(int column, int& field) const {
  field = sqlite3_column_int(handle_, column);
}
void Statement::ReadColumn(int column, bool& field) const {
  field = sqlite3_column_int(handle_, column) != 0;
}
void Statement::ReadColumn(int column, double& field) const {
  field = sqlite3_column_double(handle_, column);
}
void Statement::ReadColumn(int column, std::string& field) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  const int size = sqlite3_column_bytes(handle_, column);
  field.assign(text != nullptr ? text : "", text != nullptr ? static_cast<std::size_t>(size) : 0);
}

Result<std::unique_ptr<Connection>> Connection::Open(const std::string& path, Access access) {
  const bool is_writer = access == Access::kWrite;
  const int flags = (is_writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_URI |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const std::string uri = UriOf(path, is_writer                      ? "mode=rw"
                                      : access == Access::kImmutable ? "mode=ro&immutable=1"
                                                                     : "mode=ro");
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(uri.c_str(), &handle, flags, nullptr);
  if (handle == nullptr) {
    return Fail(ErrorKind::kExhausted, fmt::format("database {}: no memory to open it", path));
  }
  std::unique_ptr<Connection> connection(new Connection(path, handle));
  if (code != SQLITE_OK) return std::unexpected(connection->ErrorOf(code));
  TRY(connection->Configure(access));
  return connection;
}

Status Connection::Configure(Access access) {
  const bool is_writer = access == Access::kWrite;
  sqlite3_busy_timeout(handle_, is_writer ? kWriterPatienceMillis : kReaderPatienceMillis);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_writer ? 0 : 1, nullptr);
  sqlite3_wal_autocheckpoint(handle_, 0);
  TRY(
      Execute("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
              "PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON"));
  if (!is_writer) return Execute("PRAGMA query_only = ON");
  return Execute("PRAGMA synchronous = FULL");
}

Connection::~Connection() {
  for (const auto& [sql, handle] : idle_) sqlite3_finalize(handle);
  sqlite3_close_v2(handle_);
}

void Connection::LimitStatementTime(std::chrono::milliseconds limit, const Clock& clock) {
  clock_ = &clock;
  limit_ = limit;
  sqlite3_progress_handler(
      handle_, kOperationsBetweenTimeChecks,
      [](void* self) { return static_cast<const Connection*>(self)->IsPastDeadline() ? 1 : 0; },
      this);
}

bool Connection::IsPastDeadline() const { return clock_->Steady() >= deadline_; }

Result<Statement> Connection::Prepare(std::string_view sql) {
  if (clock_ != nullptr) deadline_ = clock_->Steady() + limit_;
  std::string text(sql);
  if (auto idle = idle_.extract(text)) {
    return Statement(*this, std::move(text), idle.mapped());
  }
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(handle_, text.data(), static_cast<int>(text.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) return std::unexpected(ErrorOf(code));
  return Statement(*this, std::move(text), handle);
}

void Connection::GiveBack(std::string sql, sqlite3_stmt* handle) {
  sqlite3_reset(handle);
  sqlite3_clear_bindings(handle);
  if (idle_.size() < kMaxIdleStatements) {
    idle_.emplace(std::move(sql), handle);
  } else {
    sqlite3_finalize(handle);
  }
}

Status Connection::Execute(std::string_view script) {
  if (clock_ != nullptr) deadline_ = clock_->Steady() + limit_;
  const int code = sqlite3_exec(handle_, std::string(script).c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(ErrorOf(code));
  return {};
}

Result<std::string> Connection::QueryText(std::string_view sql) {
  Statement statement = TRY(Prepare(sql));
  std::string value;
  if (TRY(statement.Step())) statement.Read(value);
  return value;
}

Result<std::int64_t> Connection::QueryInt(std::string_view sql) {
  Statement statement = TRY(Prepare(sql));
  std::int64_t value = 0;
  if (TRY(statement.Step())) statement.Read(value);
  return value;
}

bool Connection::InTransaction() const { return sqlite3_get_autocommit(handle_) == 0; }

std::int64_t Connection::Changes() const { return sqlite3_changes64(handle_); }

Status Connection::CopyLogToDatabase() {
  const int code =
      sqlite3_wal_checkpoint_v2(handle_, "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(ErrorOf(code).Within("checkpoint of the log"));
  return {};
}

Status Connection::SyncLog() {
  const Status copied = CopyLogToDatabase();
  return sqlite3_errcode(handle_) == SQLITE_FULL ? Status() : copied;
}

Status Connection::TruncateLog(std::chrono::milliseconds patience) {
  sqlite3_busy_timeout(handle_, static_cast<int>(patience.count()));
  const int code =
      sqlite3_wal_checkpoint_v2(handle_, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  const Error error = code == SQLITE_OK ? Error{} : ErrorOf(code);
  sqlite3_busy_timeout(handle_, kWriterPatienceMillis);
  if (code != SQLITE_OK) return std::unexpected(error.Within("truncation of the log"));
  return {};
}

Error Connection::ErrorOf(int code) const {
  const std::string message = fmt::format("database {}: {}", path_, sqlite3_errmsg(handle_));
  const int errno_value = SystemErrno(handle_, code);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorKind::kConflict, message, "another connection holds it; try again", true};
    case SQLITE_FULL:
      return DiskError(message, ENOSPC);
    case SQLITE_IOERR:
      return DiskError(message, errno_value);
    case SQLITE_NOMEM:
      return {ErrorKind::kExhausted, message, "free memory", true};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorKind::kInvalidData, message,
              "the file is damaged: restore it from a copy, or move it away to begin a new history",
              false};
    case SQLITE_CANTOPEN:
      return OpenError(message, errno_value);
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return {ErrorKind::kPermission, message, "", false};
    case SQLITE_INTERRUPT:
      return {ErrorKind::kUnavailable,
              fmt::format("database {}: the query took longer than {} ms and was stopped", path_,
                          limit_.count()),
              "narrow its filters or set a limit", true};
    case SQLITE_CONSTRAINT:
      return ConstraintError(code, message);
    case SQLITE_TOOBIG:
      return {ErrorKind::kInvalidData, message, "", false};
    default:
      return {ErrorKind::kInternal, message, "", false};
  }
}

}  // namespace couplingd
