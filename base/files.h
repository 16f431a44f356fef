// The small part of the file system that everything shares. All paths are opened close-on-exec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace couplingd {

// An owned file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { Close(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Close();

 private:
  int fd_ = -1;
};

// An Error whose kind follows from errno (ENOENT: kNotFound, EACCES: kPermission, ENOSPC:
// kExhausted, …) and whose message is "operation path: reason".
Error ErrnoError(int errno_value, std::string_view operation, std::string_view path);

// Opens a regular file for reading. FIFOs, devices and directories are refused without blocking.
Result<FileDescriptor> OpenForReading(const std::string& path);

// The whole file; an error where it is larger than `max_bytes`.
Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes = 64u << 20);

// Reads exactly `size` bytes at `offset`, however many calls that takes. A short file is
// kInvalidData.
Status ReadExactlyAt(int fd, void* into, std::size_t size, std::uint64_t offset,
                     std::string_view path);

// Replaces the file as one step that survives power loss: temporary file beside it, fsync, rename,
// fsync of the directory.
Status WriteFileAtomically(const std::string& path, std::string_view content, int mode = 0600);

// Appends the line and its end to a regular file, which is made with mode 0600 where there is none,
// and syncs it. A line is whole or not there: where there is no room for all of it, nothing of it
// stays, and a torn line that a crash has left is ended first. Safe beside other appending
// processes and against the file being moved away between calls.
Status AppendLine(const std::string& path, std::string_view line);

// mkdir -p with the given mode for what has to be made.
Status MakeDirectories(const std::string& path, int mode = 0700);

// Makes a rename or create in the directory durable.
Status SyncDirectory(const std::string& path);

// Names in the directory, sorted, without "." and "..".
Result<std::vector<std::string>> ListDirectory(const std::string& path);

std::string JoinPath(std::string_view directory, std::string_view name);
std::string BaseName(std::string_view path);  // last component, trailing slashes ignored
std::string DirectoryName(std::string_view path);

// Absolute path with every symbolic link resolved.
Result<std::string> RealPath(const std::string& path);

// True where `path` is `root` or lies below it. Both must be absolute and resolved.
bool IsWithin(std::string_view path, std::string_view root);

}  // namespace couplingd
