// Runs evaluations in a child process and stands between it and whoever reads the frames.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace couplingd {

struct SuperviseOptions {
  // Of the child; it reads requests on stdin, one a line, and writes frames on stdout, behind those
  // of each request that it has served the idle frame.
  std::vector<std::string> arguments;
  std::vector<std::string> environment;        // exactly this
  std::uint64_t max_output_bytes = 64u << 20;  // of all frames of a request together
  int output_fd = 1;                           // frames go here, line by line, as they come
  int stop_fd =
      -1;  // readable once for every request to stop: the first asks the child, the second kills it
};

struct SupervisedRequest {
  std::string text;  // one line, without its end
  std::optional<std::chrono::milliseconds> timeout;
  std::chrono::milliseconds grace{10000};  // between SIGTERM and SIGKILL
  bool is_last = true;                     // the child ends behind it
  // The caller tries again what the child fails at by itself: neither the error nor the exit frame
  // is sent then.
  bool is_tried_again = false;
};

// One child for one request after the other. Not thread-safe. Destroying it kills the child.
class Supervisor {
 public:
  // The clock outlives it.
  Supervisor(SuperviseOptions options, const Clock& clock);
  ~Supervisor();

  // Starts the child where none runs, and runs the request to its end. What the child sends is
  // relayed unaltered as long as each line is a frame (a JSON object with a string "frame", at most
  // 1 MiB; "exit" is not the child's to send); anything else ends it. The last frame is always the
  // exit frame; where the child left none, an error frame that says how it ended comes before it.
  // Its stderr is passed on, and its last line is quoted in that error. Where the child has ended,
  // nothing of its process group is left. Returns the exit status for this process: 0 after a
  // result, otherwise that of the error's kind.
  int Run(const SupervisedRequest& request);

  // A child waits for another request.
  bool is_waiting() const;
  // The last request was stopped from outside: on request, or because nobody reads.
  bool was_stopped() const;
  // What the child failed at where that is tried again; empty otherwise.
  const std::optional<Error>& untold() const;
  // Of the child's memory what is in RAM now; absent where none runs.
  std::optional<std::uint64_t> ResidentBytes() const;
  int pid() const;  // −1 where no child runs

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace couplingd
