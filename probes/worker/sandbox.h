// What a process that reads files of others gives up before it touches them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "probes/worker/frames.h"

namespace couplingd {

struct SandboxPlan {
  std::vector<std::string> readable;   // of the request: checkpoint, tokenizer, packs, …
  std::vector<std::string> writable;   // directories of the request
  std::vector<std::string> libraries;  // directories that hold our own and libtorch's libraries
  bool gpu = false;                    // opens /dev/nvidia*
  std::optional<std::uint64_t>
      memory_limit_bytes;  // of heap and other private memory (RLIMIT_DATA)
};

// Applies every measure to this process, which must have one thread: low CPU, disk and OOM
// priority; limits; no network (a network namespace where permitted, else Landlock or seccomp); no
// capabilities beyond reading and writing files; no_new_privs; Landlock; a system call filter;
// death together with the parent. Never fails: what is not available is said.
std::vector<Measure> EnterSandbox(const SandboxPlan& plan);

// Directories of the program's own libraries: beside the executable and its ../lib, the build's
// libtorch, and LD_LIBRARY_PATH.
std::vector<std::string> LibraryDirectories();

}  // namespace couplingd
