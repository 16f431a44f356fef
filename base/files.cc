#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace couplingd {
namespace {

Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return std::unexpected(ErrnoError(errno, "write", path));
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

ErrorKind KindOf(int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
      return ErrorKind::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorKind::kPermission;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return ErrorKind::kExhausted;
    case ESTALE:
      return ErrorKind::kVanished;
    case ECONNREFUSED:
    case ETIMEDOUT:
      return ErrorKind::kUnavailable;
    case ELOOP:
    case EISDIR:
    case EINVAL:
      return ErrorKind::kInvalidData;
    default:
      return ErrorKind::kInternal;
  }
}

std::string HintFor(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kPermission:
      return "give the user of this program access";
    case ErrorKind::kExhausted:
      return "free space or raise the limit; it is tried again";
    default:
      return "";
  }
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = other.Release();
  }
  return *this;
}

void FileDescriptor::Close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Error ErrnoError(int errno_value, std::string_view operation, std::string_view path) {
  const ErrorKind kind = KindOf(errno_value);
  const bool retryable = kind == ErrorKind::kExhausted || kind == ErrorKind::kUnavailable ||
                         kind == ErrorKind::kVanished;
  return Error{kind, fmt::format("{} {}: {}", operation, path, std::strerror(errno_value)),
               HintFor(kind), retryable};
}

Result<FileDescriptor> OpenForReading(const std::string& path) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return std::unexpected(ErrnoError(errno, "open", path));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return std::unexpected(ErrnoError(errno, "stat", path));
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} is not a regular file", path));
  }
  return fd;
}

Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) {
  const FileDescriptor fd = TRY(OpenForReading(path));
  std::string content;
  char block[65536];
  while (true) {
    const ssize_t got = ::read(fd.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(ErrnoError(errno, "read", path));
    if (got == 0) return content;
    content.append(block, static_cast<std::size_t>(got));
    if (content.size() > max_bytes) {
      return Fail(
          ErrorKind::kInvalidData,
          fmt::format("{} is larger than the {} bytes that are read of it", path, max_bytes));
    }
  }
}

Status ReadExactlyAt(int fd, void* into, std::size_t size, std::uint64_t offset,
                     std::string_view path) {
  auto* position = static_cast<char*>(into);
  while (size > 0) {
    const ssize_t got = ::pread(fd, position, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(ErrnoError(errno, "read", path));
    if (got == 0) {
      return Fail(
          ErrorKind::kInvalidData,
          fmt::format("{} ends at byte {}, {} more bytes were expected", path, offset, size),
          "the file is truncated or still being written");
    }
    position += got;
    size -= static_cast<std::size_t>(got);
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

Status WriteFileAtomically(const std::string& path, std::string_view content, int mode) {
  std::string temporary = path + ".XXXXXX";
  FileDescriptor fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return std::unexpected(ErrnoError(errno, "create", path));
  Status written = WriteAll(fd.get(), content, temporary);
  if (written && ::fchmod(fd.get(), static_cast<mode_t>(mode)) != 0) {
    written = std::unexpected(ErrnoError(errno, "chmod", temporary));
  }
  if (written && ::fsync(fd.get()) != 0) {
    written = std::unexpected(ErrnoError(errno, "sync", temporary));
  }
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = std::unexpected(ErrnoError(errno, "rename", path));
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return SyncDirectory(DirectoryName(path));
}

Status AppendLine(const std::string& path, std::string_view line) {
  const bool is_new = ::access(path.c_str(), F_OK) != 0;
  const FileDescriptor fd(
      ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600));
  if (!fd.valid()) return std::unexpected(ErrnoError(errno, "open", path));
  struct stat status {};
  if (::flock(fd.get(), LOCK_EX) != 0 || ::fstat(fd.get(), &status) != 0) {
    return std::unexpected(ErrnoError(errno, "lock", path));
  }
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} is not a regular file", path));
  }
  char last = '\n';
  if (status.st_size > 0) TRY(ReadExactlyAt(fd.get(), &last, 1, status.st_size - 1, path));
  std::string text = last == '\n' ? "" : "\n";
  text.append(line).append("\n");
  Status written = WriteAll(fd.get(), text, path);
  if (written && ::fsync(fd.get()) != 0) {
    written = std::unexpected(ErrnoError(errno, "sync", path));
  }
  if (!written) {
    (void)!::ftruncate(fd.get(), status.st_size);
    return written;
  }
  return is_new ? SyncDirectory(DirectoryName(path)) : Status();
}

Status MakeDirectories(const std::string& path, int mode) {
  for (std::size_t end = 1; end != std::string::npos;) {
    end = path.find('/', end);
    const std::string prefix = path.substr(0, end);
    if (::mkdir(prefix.c_str(), static_cast<mode_t>(mode)) != 0 && errno != EEXIST) {
      return std::unexpected(ErrnoError(errno, "make directory", prefix));
    }
    if (end != std::string::npos) ++end;
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::unexpected(ErrnoError(errno, "stat", path));
  if (!S_ISDIR(status.st_mode)) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} is not a directory", path));
  }
  return {};
}

Status SyncDirectory(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return std::unexpected(ErrnoError(errno, "open directory", path));
  if (::fsync(fd.get()) != 0) return std::unexpected(ErrnoError(errno, "sync directory", path));
  return {};
}

Result<std::vector<std::string>> ListDirectory(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (!directory) return std::unexpected(ErrnoError(errno, "list", path));
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return std::unexpected(ErrnoError(errno, "list", path));
  std::sort(names.begin(), names.end());
  return names;
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  if (directory.empty() || name.starts_with('/')) return std::string(name);
  return fmt::format("{}{}{}", directory, directory.ends_with('/') ? "" : "/", name);
}

std::string BaseName(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos || path.size() == 1 ? path
                                                                         : path.substr(slash + 1));
}

std::string DirectoryName(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

Result<std::string> RealPath(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(path.c_str(), nullptr),
                                                        std::free);
  if (!resolved) return std::unexpected(ErrnoError(errno, "resolve", path));
  return std::string(resolved.get());
}

bool IsWithin(std::string_view path, std::string_view root) {
  if (root == "/") return path.starts_with('/');
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

}  // namespace couplingd
