// What lies in a watched directory, by names and stat only: the daemon never reads a checkpoint's
// content.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace couplingd {

// A directory, or one of Composer's files, that may be a checkpoint.
struct Candidate {
  std::string path;       // resolved
  std::int64_t step = 0;  // from its name; 0 for a bare model directory
  bool step_from_name = false;
  std::string fingerprint;  // hash over names, inodes, sizes and mtimes of its files: changes while
                            // it is written
  UnixMillis written_at = 0;  // newest mtime among them
};

struct ScanOptions {
  std::string root;  // of the run
  bool follow_symlinks = false;
  std::size_t newest = 8;        // so many of the highest steps are looked into; 0: all of them
  std::set<std::string> always;  // paths that are looked into whatever their step
};

struct ScanResult {
  std::vector<Candidate> candidates;  // looked into, by rising step
  std::set<std::string> present;      // every candidate path there, looked into or not
};

// One pass over the run's directory. A root that is itself a model directory (it holds config.json
// or weights) is the one candidate. An error (no permission, not mounted) says nothing about what
// is there: callers keep what they know.
Result<ScanResult> ScanRun(const ScanOptions& options);

// Looks into one directory, as ScanRun does. kNotFound where it is gone.
Result<Candidate> LookAt(const std::string& path);

// True where changes made by other hosts raise no inotify events (NFS, Lustre, CIFS, FUSE, …).
bool IsNetworkFileSystem(const std::string& path);

}  // namespace couplingd
