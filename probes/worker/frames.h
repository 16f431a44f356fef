// Control frames: JSON objects, one a line, from the evaluation process to its parent and from
// there to whoever asked.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace couplingd {

constexpr std::size_t kMaxFrameBytes = 1u << 20;  // of one line

// {"frame":"error","kind","message","hint","retryable","oom"}. `out_of_memory` marks an error of
// kind exhausted whose cause is memory.
std::string ErrorFrame(const Error& error, bool out_of_memory = false);

// {"frame":"note","topic","text"}. Something the user should know that stops nothing.
std::string NoteFrame(std::string_view topic, std::string_view text);

// One protective measure, for the note about the sandbox.
struct Measure {
  std::string name;  // "landlock", "network", …
  bool applied = false;
  std::string detail;  // what it does, or why it is not available
};

// {"frame":"note","topic":"sandbox","text","measures":[{"name","applied","detail"}]}; the text
// names what is missing.
std::string SandboxFrame(const std::vector<Measure>& measures);

// {"frame":"idle"}: the evaluation process has served a request. Between it and its parent only.
std::string IdleFrame();

// {"frame":"exit","code","signal","text","oom","max_rss_bytes"}: how the evaluation process ended.
struct ExitFrame {
  int code = 0;
  int signal = 0;  // that killed it, or 0
  std::string text;
  bool out_of_memory = false;
  std::uint64_t max_rss_bytes = 0;
};
std::string ToJson(const ExitFrame& frame);

// Writes frames to a descriptor that it does not own, each line as a whole. Thread-safe.
class FrameWriter {
 public:
  explicit FrameWriter(int fd) : fd_(fd) {}

  // `json`: one object without line breaks, at most kMaxFrameBytes - 1 bytes (else kInternal,
  // nothing is written). kUnavailable: nobody reads any more.
  Status Write(std::string_view json);

 private:
  std::mutex mutex_;
  int fd_;
};

}  // namespace couplingd
