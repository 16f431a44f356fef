// Landlock, the kernel's way for a process to give up file access for good. By system calls: libc
// has no wrappers, and older kernel headers lack the newer rights.
#pragma once

#include <string>
#include <vector>

#include "probes/worker/frames.h"

namespace couplingd {

// Paths that do not exist are passed over; links are followed once, now.
struct LandlockPlan {
  std::vector<std::string> readable;  // files, or directories with everything below
  std::vector<std::string>
      writable;  // directories: read, create, write, rename within, remove files
  std::vector<std::string> devices;  // device files, or directories of them: read, write, ioctl
  std::vector<std::string>
      annotated;  // directories whose existing files may be written, such as /proc/self/task
};

// Applies the plan to this thread and all that it starts: nothing else can be opened, nothing at
// all executed. From ABI 4 on no TCP port can be connected or bound, from ABI 6 on no process
// outside can be signalled. Sets no_new_privs. Says which ABI was found, or why the measure is not
// available.
Measure ApplyLandlock(const LandlockPlan& plan);

// The ABI version of this kernel, 0 where there is none.
int LandlockAbi();

}  // namespace couplingd
