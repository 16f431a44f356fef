// The exclusive lock on a state directory: one process at a time may write the database in it.
#pragma once

#include <string>

#include "base/files.h"
#include "base/result.h"

namespace couplingd {

// Held from Acquire until destroyed or until the process ends in whatever way. The lock is flock(2)
// on `<directory>/lock`, a file that stays there and names its last holder's process and host. On
// NFS the kernel carries flock out as a lock on the server, which other hosts see too, unless the
// mount says local_lock.
class DirectoryLock {
 public:
  // kConflict names the holder; kUnsupported where the file system cannot lock.
  static Result<DirectoryLock> Acquire(const std::string& directory);

  // kConflict where some process holds the lock now. Works on a read-only file system; takes
  // nothing for longer than the call.
  static Status VerifyFree(const std::string& directory);

 private:
  explicit DirectoryLock(FileDescriptor file) : file_(std::move(file)) {}
  FileDescriptor file_;
};

// The name of the network file system that holds the path ("NFS", "Lustre", …), empty for a local
// one.
std::string NetworkFileSystem(const std::string& path);

}  // namespace couplingd
