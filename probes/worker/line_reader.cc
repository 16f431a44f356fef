#include "probes/worker/line_reader.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/files.h"

namespace couplingd {

Result<std::string> ReadAll(int fd, std::size_t max_bytes) {
  std::string text;
  char block[65536];
  while (true) {
    const ssize_t got = ::read(fd, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(ErrnoError(errno, "read", "the request"));
    if (got == 0) return text;
    text.append(block, static_cast<std::size_t>(got));
    if (text.size() > max_bytes) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("the request is larger than {} bytes", max_bytes));
    }
  }
}

Result<std::optional<std::string>> LineReader::Next(int stop_fd) {
  std::size_t searched = 0;
  while (true) {
    const std::size_t end = rest_.find('\n', searched);
    if (end != std::string::npos || (is_over_ && !rest_.empty())) {
      std::string line = rest_.substr(0, end);
      rest_.erase(0, end == std::string::npos ? end : end + 1);
      return line;
    }
    if (is_over_) return std::nullopt;
    searched = rest_.size();
    if (rest_.size() > max_bytes_) {
      return Fail(ErrorKind::kInvalidData,
                  fmt::format("the request is larger than {} bytes", max_bytes_));
    }
    pollfd polled[] = {{fd_, POLLIN, 0}, {stop_fd, POLLIN, 0}};
    if (::poll(polled, 2, -1) < 0) continue;
    if (polled[1].revents != 0) return std::nullopt;
    char block[65536];
    const ssize_t got = ::read(fd_, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(ErrnoError(errno, "read", "the request"));
    is_over_ = got == 0;
    rest_.append(block, static_cast<std::size_t>(got));
  }
}

}  // namespace couplingd
