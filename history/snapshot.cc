#include "history/snapshot.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/files.h"
#include "history/lock.h"

namespace couplingd {
namespace {

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

bool HasContent(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && status.st_size > 0;
}

Status CopyFile(const std::string& from, const std::string& to) {
  std::error_code code;
  std::filesystem::copy_file(from, to, code);
  if (!code) return {};
  return std::unexpected(ErrnoError(code.value(), "copy", from));
}

Result<std::string> MakeTemporaryDirectory() {
  const char* configured = ::getenv("TMPDIR");
  std::string path = JoinPath(configured != nullptr && *configured != '\0' ? configured : "/tmp",
                              "couplingd-snapshot-XXXXXX");
  if (::mkdtemp(path.data()) == nullptr) {
    return std::unexpected(ErrnoError(errno, "make a temporary directory", path));
  }
  return path;
}

}  // namespace

bool NeedsSnapshot(const std::string& database) {
  if (::access(DirectoryName(database).c_str(), W_OK) == 0) return false;
  return !Exists(database + "-wal") || !Exists(database + "-shm");
}

Result<std::unique_ptr<Snapshot>> Snapshot::Open(const std::string& database) {
  TRY(DirectoryLock::VerifyFree(DirectoryName(database)));
  std::unique_ptr<Snapshot> snapshot(new Snapshot);
  if (HasContent(database + "-wal")) {
    TRY(snapshot->Copy(database));
  } else {
    snapshot->connection_ = TRY(Connection::Open(database, Connection::Access::kImmutable));
  }
  snapshot->note_ = fmt::format(
      "{} is read as it stood when it was opened, because nothing can be written beside it",
      database);
  return snapshot;
}

Status Snapshot::Copy(const std::string& database) {
  copy_directory_ = TRY(MakeTemporaryDirectory());
  const std::string copy = JoinPath(copy_directory_, BaseName(database));
  TRY(CopyFile(database, copy));
  TRY(CopyFile(database + "-wal", copy + "-wal"));
  connection_ = TRY(Connection::Open(copy, Connection::Access::kRead));
  return {};
}

Snapshot::~Snapshot() {
  if (copy_directory_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(copy_directory_, ignored);
}

}  // namespace couplingd
