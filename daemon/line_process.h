// A program that reads lines and writes lines, without blocking.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/process.h"
#include "base/result.h"

namespace couplingd {

// The program that uses it ignores SIGPIPE. All calls and callbacks on the io_context's thread. It
// lives until its program has ended; leaving it then to the io_context's end kills the program.
class LineProcess : public std::enable_shared_from_this<LineProcess> {
 public:
  // Its three pipes are open.
  LineProcess(boost::asio::io_context& io, Process process);

  std::function<void(std::string_view)> on_line;
  // Also of what it wrote on stderr, the beginning.
  std::function<void(Result<ExitStatus>, const std::string& error_text)> on_end;

  void Run();
  // Written in order; CloseInput comes behind what was sent.
  void Send(std::string text);
  void CloseInput();

  // From now on it has so long; a later call counts instead.
  void KillAfter(std::chrono::milliseconds span);
  void KillNever() { deadline_.cancel(); }
  // SIGTERM, and after a grace SIGKILL.
  void Stop();

 private:
  void Write();
  void ReadLine();
  void ReadError();
  void Finish(boost::system::error_code error);

  Process process_;
  boost::asio::posix::stream_descriptor in_, out_, err_;
  boost::asio::steady_timer deadline_;
  std::deque<std::string> to_send_;
  bool is_closing_ = false;
  boost::asio::streambuf buffer_;
  char block_[4096];
  std::string error_text_;
};

}  // namespace couplingd
