// Runs the evaluation in a child process and stands between it and whoever reads the frames.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace couplingd {

struct SuperviseOptions {
  std::vector<std::string>
      arguments;  // of the child; it reads the request on stdin and writes frames on stdout
  std::vector<std::string> environment;  // exactly this
  std::string request;
  std::optional<std::chrono::milliseconds> timeout;
  std::chrono::milliseconds grace{10000};      // between SIGTERM and SIGKILL
  std::uint64_t max_output_bytes = 64u << 20;  // of all frames together
  int output_fd = 1;                           // frames go here, line by line, as they come
  int stop_fd =
      -1;  // readable once for every request to stop: the first asks the child, the second kills it
};

// Runs the child to its end. What it sends is relayed unaltered as long as each line is a frame (a
// JSON object with a string "frame", at most 1 MiB; "exit" is not the child's to send); anything
// else ends it. The last frame is always the exit frame; where the child left none, an error frame
// that says how it ended comes before it. Its stderr is passed on, and its last line is quoted in
// that error. Nothing of the child's process group is left. Returns the exit status for this
// process: 0 after a result, otherwise that of the error's kind.
int Supervise(const SuperviseOptions& options, const Clock& clock);

}  // namespace couplingd
