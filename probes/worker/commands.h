// The commands of couplingd-probe. Each returns the exit status of the program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace couplingd {

struct InspectCommand {
  std::string directory;
  std::string layout;  // empty: by name
  bool json = true;
  std::vector<std::string> read_roots;
  std::uint64_t max_header_bytes = 16u << 20;
};

// Prints one Inspection as JSON on one line: 0, whatever it says. Where the directory cannot be
// looked at, one line on stderr and the status of the error's kind. Works in the sandbox.
int RunInspect(const InspectCommand& command);

// Lists the GPUs, or says that there is none. `library` is NVML's.
int RunDevices(bool json, const std::string& library);

struct EvaluateCommand {
  std::string request_file;  // empty: stdin
  std::string evaluator;     // empty: libcouplingd_evaluator.so beside the program or in its ../lib
  std::string nvml = "libnvidia-ml.so.1";
};

// Chooses the device, runs the child and relays its frames on stdout; the last is the exit frame.
int RunEvaluate(const EvaluateCommand& command);

// The same for requests on stdin, one a line, until its end; the frames of each end with an exit
// frame (warm_worker.h). `request_file` is not used.
int RunServe(const EvaluateCommand& command);

}  // namespace couplingd
