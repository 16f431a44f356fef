// A seccomp filter for a process that only computes.
#pragma once

#include "probes/worker/frames.h"

namespace couplingd {

// From now on this thread and all that it starts cannot make processes (threads they can), execute
// programs, open sockets other than Unix and netlink ones, trace or write into other processes,
// mount, change namespaces, load kernel code or use io_uring: these calls fail with EPERM. Needs
// no_new_privs.
Measure ApplySyscallFilter();

}  // namespace couplingd
