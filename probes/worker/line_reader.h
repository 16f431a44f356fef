// Lines of a descriptor, one after the other.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/result.h"

namespace couplingd {

constexpr std::size_t kMaxRequestBytes = 16u << 20;  // of one line that asks for an evaluation

// All of it. kInvalidData: more than max_bytes.
Result<std::string> ReadAll(int fd, std::size_t max_bytes);

class LineReader {
 public:
  // The descriptor stays the caller's.
  LineReader(int fd, std::size_t max_bytes) : fd_(fd), max_bytes_(max_bytes) {}

  // Without its end; waits for it. The last line needs no end. Absent at the end of the input, and
  // as soon as `stop_fd` (−1: none) can be read. kInvalidData: a line of more than max_bytes.
  Result<std::optional<std::string>> Next(int stop_fd = -1);

 private:
  const int fd_;
  const std::size_t max_bytes_;
  std::string rest_;
  bool is_over_ = false;
};

}  // namespace couplingd
