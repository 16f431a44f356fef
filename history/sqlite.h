// A thin wrapper of SQLite: connections, cached statements, errors as values. Nothing outside
// history/ sees it. Not thread-safe: one thread at a time per connection and its statements.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace couplingd {

class Connection;

using SqlValue = std::variant<std::int64_t, double, std::string>;

// One use of a prepared statement. Goes back to its connection's cache when destroyed, so it must
// not outlive it.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Binds the next parameters, in the order in which they first appear in the SQL. NaN, which
  // SQLite would turn into NULL, is refused: the first such error is what Step and Run return.
  template <typename... T>
  Statement& Bind(const T&... values) {
    (BindNext(values), ...);
    return *this;
  }
  Statement& BindAll(const std::vector<SqlValue>& values);

  // True with a row to read, false at the end.
  Result<bool> Step();
  // Runs to the end, passing over rows.
  Status Run();
  // Reads the columns of the row in order. NULL gives an empty optional, or the zero of the type.
  template <typename... T>
  void Read(T&... fields) {
    int column = 0;
    (ReadColumn(column++, fields), ...);
  }

 private:
  friend class Connection;
  Statement(Connection& connection, std::string sql, sqlite3_stmt* handle);

  void BindNext(std::int64_t value);
  void BindNext(std::same_as<bool> auto value) { BindNext(std::int64_t{value}); }
  void BindNext(std::same_as<int> auto value) { BindNext(std::int64_t{value}); }
  void BindNext(double value);
  void BindNext(std::string_view value);
  void BindNext(const std::string& value) { BindNext(std::string_view(value)); }
  void BindNext(const char* value) { BindNext(std::string_view(value)); }
  void BindNull();
  template <typename T>
  void BindNext(const std::optional<T>& value) {
    value ? BindNext(*value) : BindNull();
  }
  void Check(int code);

  bool IsNull(int column) const;
  void ReadColumn(int column, std::int64_t& field) const;
  void ReadColumn(int column, int& field) const;
  void ReadColumn(int column, bool& field) const;
  void ReadColumn(int column, double& field) const;
  void ReadColumn(int column, std::string& field) const;
  template <typename T>
  void ReadColumn(int column, std::optional<T>& field) const {
    field.reset();
    if (!IsNull(column)) ReadColumn(column, field.emplace());
  }

  Connection* connection_;
  std::string sql_;
  sqlite3_stmt* handle_;
  int parameter_ = 0;
  Status status_;
};

class Connection {
 public:
  enum class Access {
    kWrite,      // the one connection that writes and checkpoints; the file must exist
    kRead,       // beside a writer or without one; never writes the database, never checkpoints
    kImmutable,  // reads the database file alone, as if nobody ever writes; ignores the write-ahead
                 // log
  };
  // SQLite opens lazily: a damaged file shows at the first statement.
  static Result<std::unique_ptr<Connection>> Open(const std::string& path, Access access);
  Connection(const Connection&) = delete;
  ~Connection();

  // From now on a statement that runs longer than `limit` fails with kUnavailable. `clock` must
  // outlive the connection.
  void LimitStatementTime(std::chrono::milliseconds limit, const Clock& clock);

  Result<Statement> Prepare(std::string_view sql);
  // Runs statements without parameters, separated by semicolons.
  Status Execute(std::string_view script);
  // The first column of the first row.
  Result<std::string> QueryText(std::string_view sql);
  Result<std::int64_t> QueryInt(std::string_view sql);

  // False also after SQLite itself rolled the transaction back, which it does on a full disk or an
  // I/O error.
  bool InTransaction() const;
  // Rows that the last INSERT, UPDATE or DELETE changed.
  std::int64_t Changes() const;

  // Copies what the write-ahead log holds into the database, as far as readers allow without
  // waiting.
  Status CopyLogToDatabase();
  // All that can be read is on the disk afterwards: the log may end with a commit whose sync failed
  // before its process died. A disk too full to copy the log is no error; it is synced first.
  Status SyncLog();
  // The same, and truncates the log; waits at most `patience` for readers, then kConflict.
  Status TruncateLog(std::chrono::milliseconds patience);

  const std::string& path() const { return path_; }

 private:
  friend class Statement;
  Connection(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
  Status Configure(Access access);
  Error ErrorOf(int code) const;
  void GiveBack(std::string sql, sqlite3_stmt* handle);
  bool IsPastDeadline() const;

  const std::string path_;
  sqlite3* const handle_;
  std::unordered_multimap<std::string, sqlite3_stmt*>
      idle_;  // prepared statements that nobody uses
  const Clock* clock_ = nullptr;
  std::chrono::milliseconds limit_{0};
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace couplingd
