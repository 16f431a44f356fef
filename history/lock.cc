#include "history/lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <utility>

namespace couplingd {
namespace {

constexpr std::string_view kLockName = "lock";

std::string HostName() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown host";
}

// "process 4711 on host gpu3", from what the holder wrote.
std::string Holder(int file) {
  std::array<char, 320> text{};
  const ssize_t size = ::pread(file, text.data(), text.size() - 1, 0);
  long pid = 0;
  std::array<char, 257> host{};
  if (size <= 0 || std::sscanf(text.data(), "%ld %256s", &pid, host.data()) != 2 || pid <= 0) {
    return "another process";
  }
  return fmt::format("process {} on host {}", pid, host.data());
}

// Whoever comes next reads this where it cannot get the lock. Without space for it the lock still
// holds.
void WriteHolder(int file) {
  const std::string text = fmt::format("{} {}\n", ::getpid(), HostName());
  const ssize_t written = ::pwrite(file, text.data(), text.size(), 0);
  if (written > 0) std::ignore = ::ftruncate(file, written);
}

Status Flock(int file, int operation, const std::string& directory, const std::string& path) {
  int code = 0;
  do {
    code = ::flock(file, operation | LOCK_NB);
  } while (code != 0 && errno == EINTR);
  if (code == 0) return {};
  if (errno == EWOULDBLOCK) {
    return Fail(ErrorKind::kConflict,
                fmt::format("the store {} is in use by {}", directory, Holder(file)),
                "stop that process, or give this one another store", true);
  }
  if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS) {
    const std::string system = NetworkFileSystem(directory);
    return Fail(ErrorKind::kUnsupported,
                fmt::format("the file system of {}{} cannot lock files", directory,
                            system.empty() ? "" : " (" + system + ")"),
                "choose a store on a local file system");
  }
  return std::unexpected(ErrnoError(errno, "lock", path));
}

}  // namespace

Result<DirectoryLock> DirectoryLock::Acquire(const std::string& directory) {
  const std::string path = JoinPath(directory, kLockName);
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return std::unexpected(ErrnoError(errno, "open", path));
  TRY(Flock(file.get(), LOCK_EX, directory, path));
  ::fchmod(file.get(), 0600);
  WriteHolder(file.get());
  return DirectoryLock(std::move(file));
}

Status DirectoryLock::VerifyFree(const std::string& directory) {
  const std::string path = JoinPath(directory, kLockName);
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid() && errno == ENOENT) return {};
  if (!file.valid()) return std::unexpected(ErrnoError(errno, "open", path));
  return Flock(file.get(), LOCK_SH, directory, path);
}

std::string NetworkFileSystem(const std::string& path) {
  struct statfs status {};
  if (::statfs(path.c_str(), &status) != 0) return "";
  // The magic numbers of linux/magic.h and of the file systems' own headers.
  switch (static_cast<std::uint32_t>(status.f_type)) {
    case 0x6969:
      return "NFS";
    case 0xFF534D42:
    case 0xFE534D42:
    case 0x517B:
      return "SMB";
    case 0x0BD00BD0:
      return "Lustre";
    case 0x47504653:
      return "GPFS";
    case 0x19830326:
      return "BeeGFS";
    case 0x00C36400:
      return "Ceph";
    case 0x65735546:
      return "FUSE";
    case 0x01021997:
      return "9p";
    default:
      return "";
  }
}

}  // namespace couplingd
