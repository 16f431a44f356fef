#include "probes/checkpoint/confined_file.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace couplingd {
namespace {

FileStamp StampOf(const struct stat& status) {
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
          status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec};
}

Error AccessError(Error error, const std::string& path) {
  if (error.kind != ErrorKind::kPermission) return error;
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    error.message +=
        fmt::format(" (mode {:04o}, owner uid {})", status.st_mode & 07777, status.st_uid);
  }
  error.hint =
      "safetensors files are written with mode 0600: run as the user that trains, or give this "
      "user read access "
      "(a default ACL on the directory: setfacl -d -m u:USER:rX)";
  return error;
}

Result<std::string> WhereItLed(int fd, const std::string& path) {
  char target[PATH_MAX];
  const ssize_t length =
      ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), target, sizeof target);
  if (length < 0) return std::unexpected(ErrnoError(errno, "resolve", path));
  return std::string(target, static_cast<std::size_t>(length));
}

std::unexpected<Error> Changed(const std::string& path, std::string_view how) {
  return Fail(ErrorKind::kVanished, fmt::format("{} changed during evaluation: {}", path, how),
              "the trainer removed or rewrote it; keep checkpoints longer, or set preserve", true);
}

}  // namespace

Result<ConfinedFile> OpenConfined(const std::string& path, const ReadRoots& roots) {
  Result<FileDescriptor> opened = OpenForReading(path);
  if (!opened) return std::unexpected(AccessError(std::move(opened).error(), path));
  struct stat status {};
  if (::fstat(opened->get(), &status) != 0) return std::unexpected(ErrnoError(errno, "stat", path));
  if (status.st_nlink == 0) return Changed(path, "it was removed");
  const std::string target = TRY(WhereItLed(opened->get(), path));
  if (std::ranges::none_of(roots,
                           [&](const std::string& root) { return IsWithin(target, root); })) {
    return Fail(
        ErrorKind::kPermission,
        fmt::format("{} is a link that leads to {}, outside the directories that may be read", path,
                    target),
        "add the directory that holds the target to the allowed roots");
  }
  return ConfinedFile{std::move(*opened), path, StampOf(status)};
}

Result<std::string> ReadConfined(const ConfinedFile& file, std::size_t max_bytes) {
  if (file.stamp.size > max_bytes) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{} has {} bytes, at most {} are read of it",
                                                     file.path, file.stamp.size, max_bytes));
  }
  std::string content(file.stamp.size, '\0');
  TRY(ReadExactlyAt(file.fd.get(), content.data(), content.size(), 0, file.path));
  return content;
}

Status ReadConfinedPart(const ConfinedFile& file, std::uint64_t begin, std::uint64_t size,
                        void* into) {
  Status read = ReadExactlyAt(file.fd.get(), into, size, begin, file.path);
  if (read || read.error().kind != ErrorKind::kInvalidData) return read;
  return Changed(file.path, "it became shorter");
}

Status CheckUnchanged(const ConfinedFile& file) {
  struct stat status {};
  if (::fstat(file.fd.get(), &status) != 0)
    return Changed(file.path, "it can no longer be looked at");
  if (StampOf(status) != file.stamp) return Changed(file.path, "its size or time is another");
  if (::stat(file.path.c_str(), &status) != 0) return Changed(file.path, "it was removed");
  if (StampOf(status) != file.stamp) return Changed(file.path, "another file took its place");
  return {};
}

}  // namespace couplingd
