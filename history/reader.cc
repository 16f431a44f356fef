#include "history/reader.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/files.h"
#include "history/schema.h"
#include "history/snapshot.h"

namespace couplingd {
namespace {

// In the order in which they must outlive each other: the connection may read the snapshot's copy.
struct Opened {
  std::unique_ptr<SystemClock> clock = std::make_unique<SystemClock>();
  std::unique_ptr<Snapshot> snapshot;  // absent for a live reader
  std::unique_ptr<Connection> connection;
};

class OwningReader final : private Opened, public SqlReader {
 public:
  OwningReader(Opened opened, std::string database)
      : Opened(std::move(opened)), SqlReader(*connection, std::move(database)) {}
  std::string Note() const override { return snapshot ? snapshot->note() : ""; }
};

Status VerifyReadable(const std::string& database) {
  struct stat status {};
  if (::stat(database.c_str(), &status) != 0) {
    Error error = ErrnoError(errno, "open database", database);
    if (errno == ENOENT) error.hint = "start couplingd, or name another database";
    return std::unexpected(error);
  }
  if (S_ISDIR(status.st_mode)) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} is a folder, not a database", database),
                fmt::format("give {}", JoinPath(database, kDatabaseName)));
  }
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} is not a regular file", database));
  }
  if (::access(database.c_str(), R_OK) != 0) {
    return std::unexpected(ErrnoError(errno, "read database", database));
  }
  return {};
}

Result<Opened> OpenLive(const std::string& database) {
  Opened opened;
  opened.connection = TRY(Connection::Open(database, Connection::Access::kRead));
  TRY(VerifySchema(*opened.connection));
  return opened;
}

Result<Opened> OpenSnapshot(const std::string& database) {
  Opened opened;
  opened.snapshot = TRY(Snapshot::Open(database));
  opened.connection = opened.snapshot->TakeConnection();
  TRY(VerifySchema(*opened.connection));
  return opened;
}

Result<Opened> OpenEitherWay(const std::string& database) {
  if (NeedsSnapshot(database)) return OpenSnapshot(database);
  Result<Opened> live = OpenLive(database);
  // A full disk or a folder of another user can keep SQLite from making the files that a live
  // reader needs.
  const bool cannot_write = !live && (live.error().kind == ErrorKind::kExhausted ||
                                      live.error().kind == ErrorKind::kPermission);
  if (!cannot_write) return live;
  Result<Opened> snapshot = OpenSnapshot(database);
  return snapshot ? std::move(snapshot) : std::move(live);
}

}  // namespace

Result<std::unique_ptr<HistoryReader>> HistoryReader::Open(const std::string& database,
                                                           std::chrono::milliseconds limit) {
  TRY(VerifyReadable(database));
  Opened opened = TRY(OpenEitherWay(database));
  opened.connection->LimitStatementTime(limit, *opened.clock);
  return std::make_unique<OwningReader>(std::move(opened), database);
}

}  // namespace couplingd
