// The real couplingd in a process of its own.
#pragma once

#include <string>

#include "base/process.h"

namespace couplingd {

// With nothing of this process's environment; what it prints is appended to the file `log`.
inline Result<Process> StartDaemonProcess(const std::string& program, const std::string& config,
                                          const std::string& log) {
  ProcessOptions options;
  options.arguments = {"/bin/sh", "-c", "exec \"$0\" \"$1\" >> \"$2\" 2>&1", program, config, log};
  options.environment = MinimalEnvironment();
  return Process::Start(options);
}

}  // namespace couplingd
