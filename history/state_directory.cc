#include "history/state_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"
#include "history/lock.h"
#include "history/store.h"

namespace couplingd {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr std::uint64_t kMinDatabaseBytes = 512;  // SQLite's smallest page

bool IsOurs(const std::string& name) {
  return name.starts_with(kDatabaseName) || name == "lock" || name == "scores" ||
         name.starts_with("couplingd");
}

std::uint64_t SizeOf(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

Status SetMode(const std::string& path, mode_t mode) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::unexpected(ErrnoError(errno, "stat", path));
  if ((status.st_mode & 07777) == mode || status.st_uid != ::geteuid()) return {};
  if (::chmod(path.c_str(), mode) != 0) return std::unexpected(ErrnoError(errno, "chmod", path));
  return {};
}

Result<bool> CanOthersWrite(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::unexpected(ErrnoError(errno, "stat", path));
  return (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

Status CreateEmpty(const std::string& path) {
  const FileDescriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode));
  if (!file.valid()) return std::unexpected(ErrnoError(errno, "create", path));
  if (::fchmod(file.get(), kFileMode) != 0) {
    return std::unexpected(ErrnoError(errno, "chmod", path));
  }
  return SyncDirectory(DirectoryName(path));
}

}  // namespace

Result<std::vector<std::string>> PrepareStateDirectory(const std::string& directory) {
  std::vector<std::string> remarks;
  TRY(MakeDirectories(directory, kDirectoryMode));
  if (std::ranges::all_of(TRY(ListDirectory(directory)), IsOurs)) {
    TRY(SetMode(directory, kDirectoryMode));
  }
  if (TRY(CanOthersWrite(directory))) {
    remarks.push_back(fmt::format(
        "other users can write in {}, which holds the history; run chmod go-w on it", directory));
  }
  if (const std::string system = NetworkFileSystem(directory); !system.empty()) {
    remarks.push_back(fmt::format(
        "the store {} is on {}: the lock is flock carried out by that file system, and the "
        "database can be read on this host only; a local disk is safer",
        directory, system));
  }
  const std::string scores = JoinPath(directory, "scores");
  TRY(MakeDirectories(scores, kDirectoryMode));
  TRY(SetMode(scores, kDirectoryMode));
  TRY(SyncDirectory(directory));
  return remarks;
}

Status PrepareDatabaseFile(const std::string& directory) {
  const std::string database = JoinPath(directory, kDatabaseName);
  if (SizeOf(database) == 0) {
    const std::string log = database + "-wal";
    const bool has_scores = !TRY(ListDirectory(JoinPath(directory, "scores"))).empty();
    if (SizeOf(log) > 0 || has_scores) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("the database {} is missing or empty, while {} is there", database,
                              SizeOf(log) > 0 ? log : JoinPath(directory, "scores")),
                  "restore the database from a copy, or move that away to begin a new history");
    }
  }
  struct stat status {};
  if (::lstat(database.c_str(), &status) != 0) return CreateEmpty(database);
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("the database {} is not a regular file", database));
  }
  // SQLite would take so short a file for a new database. With a journal beside it, it is one whose
  // making was cut off, which SQLite undoes.
  const bool is_half_made = SizeOf(database + "-journal") > 0;
  if (status.st_size > 0 && SizeOf(database) < kMinDatabaseBytes && !is_half_made) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("the database {} is cut short to {} bytes", database, status.st_size),
                "restore it from a copy, or move it away to begin a new history");
  }
  return SetMode(database, kFileMode);
}

}  // namespace couplingd
