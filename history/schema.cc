#include "history/schema.h"

#include <fmt/format.h>

#include <string>

#include "history/migrations.h"

namespace couplingd {
namespace {

Status CheckFile(Connection& connection) {
  Statement check = TRY(connection.Prepare("PRAGMA quick_check(3)"));
  std::string problems;
  while (TRY(check.Step())) {
    std::string line;
    check.Read(line);
    if (line != "ok") problems += (problems.empty() ? "" : "; ") + line;
  }
  if (problems.empty()) return {};
  return Fail(
      ErrorKind::kInvalidData,
      fmt::format("database {} is damaged: {}", connection.path(), problems),
      "restore it from a copy, or save what is left with sqlite3's .recover; it was not changed");
}

Status TurnOnLog(Connection& connection) {
  const std::string mode = TRY(connection.QueryText("PRAGMA journal_mode = WAL"));
  if (mode == "wal") return {};
  return Fail(ErrorKind::kUnsupported,
              fmt::format("database {}: its file system allows no write-ahead log (mode is {})",
                          connection.path(), mode),
              "choose a store on a local file system");
}

Status Migrate(Connection& connection, std::int64_t from) {
  for (std::int64_t version = from; version < kSchemaVersion; ++version) {
    const Status applied = connection.Execute(
        fmt::format("BEGIN IMMEDIATE; {} PRAGMA application_id = {}; PRAGMA user_version = {}; "
                    "COMMIT",
                    Migration(version), kApplicationId, version + 1));
    if (!applied) {
      if (connection.InTransaction()) connection.Execute("ROLLBACK");
      return std::unexpected(
          applied.error().Within(fmt::format("migration to schema {}", version + 1)));
    }
  }
  return {};
}

// The schema's version; 0 for an empty database.
Result<std::int64_t> ReadVersion(Connection& connection) {
  const std::int64_t application = TRY(connection.QueryInt("PRAGMA application_id"));
  const std::int64_t version = TRY(connection.QueryInt("PRAGMA user_version"));
  const std::int64_t objects = TRY(connection.QueryInt("SELECT count(*) FROM sqlite_schema"));
  if (application == 0 && version == 0 && objects == 0) return 0;
  if (application != kApplicationId || version < 1) {
    return Fail(
        ErrorKind::kInvalidData,
        fmt::format("{} is a SQLite database, but not one of couplingd (application id {:#x})",
                    connection.path(), application),
        "give the history.db of a couplingd store");
  }
  if (version > kSchemaVersion) {
    return Fail(ErrorKind::kUnsupported,
                fmt::format("database {} has schema {}, which is newer than schema {} that this "
                            "program knows",
                            connection.path(), version, kSchemaVersion),
                "use the couplingd that wrote it, or a newer one; it was not changed");
  }
  return version;
}

}  // namespace

Status VerifySchema(Connection& connection) {
  const std::int64_t version = TRY(ReadVersion(connection));
  if (version == kSchemaVersion) return {};
  if (version == 0) {
    return Fail(ErrorKind::kNotFound,
                fmt::format("database {} is empty: nothing was recorded yet", connection.path()),
                "start couplingd, or import results", true);
  }
  return Fail(ErrorKind::kUnsupported,
              fmt::format("database {} has the older schema {}, this program reads schema {}",
                          connection.path(), version, kSchemaVersion),
              "start this version of couplingd once, it brings the database forward");
}

Status PrepareSchema(Connection& connection) {
  const std::int64_t version = TRY(ReadVersion(connection));
  TRY(CheckFile(connection));
  TRY(TurnOnLog(connection));
  return Migrate(connection, version);
}

}  // namespace couplingd
