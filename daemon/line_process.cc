#include "daemon/line_process.h"

#include <signal.h>

#include <algorithm>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace couplingd {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMaxLine = 2u << 20;
constexpr std::size_t kMaxErrorText = 4096;
constexpr std::chrono::seconds kGraceOfSigterm{10};

}  // namespace

LineProcess::LineProcess(asio::io_context& io, Process process)
    : process_(std::move(process)),
      in_(io, process_.stdin_pipe().Release()),
      out_(io, process_.stdout_pipe().Release()),
      err_(io, process_.stderr_pipe().Release()),
      deadline_(io),
      buffer_(kMaxLine) {}

void LineProcess::Run() {
  ReadLine();
  ReadError();
}

void LineProcess::Send(std::string text) {
  to_send_.push_back(std::move(text));
  if (to_send_.size() == 1) Write();
}

void LineProcess::CloseInput() {
  is_closing_ = true;
  boost::system::error_code ignored;
  if (to_send_.empty()) in_.close(ignored);
}

void LineProcess::Write() {
  asio::async_write(in_, asio::buffer(to_send_.front()),
                    [self = shared_from_this()](boost::system::error_code error, std::size_t) {
                      self->to_send_.pop_front();
                      if (error) self->to_send_.clear();
                      if (!self->to_send_.empty()) return self->Write();
                      if (self->is_closing_) self->CloseInput();
                    });
}

void LineProcess::Stop() {
  process_.Signal(SIGTERM);
  KillAfter(kGraceOfSigterm);
}

void LineProcess::KillAfter(std::chrono::milliseconds span) {
  deadline_.expires_after(span);
  deadline_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    if (const auto self = weak.lock(); self && !error) self->process_.Signal(SIGKILL);
  });
}

void LineProcess::ReadLine() {
  asio::async_read_until(
      out_, buffer_, '\n',
      [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
        if (error) return self->Finish(error);
        const auto* data = static_cast<const char*>(self->buffer_.data().data());
        self->on_line(std::string_view(data, size - 1));
        self->buffer_.consume(size);
        self->ReadLine();
      });
}

void LineProcess::ReadError() {
  err_.async_read_some(
      asio::buffer(block_),
      [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
        if (error) return;
        const std::size_t room = kMaxErrorText - std::min(kMaxErrorText, self->error_text_.size());
        self->error_text_.append(self->block_, std::min(room, size));
        self->ReadError();
      });
}

void LineProcess::Finish(boost::system::error_code error) {
  deadline_.cancel();
  if (error != asio::error::eof) process_.Signal(SIGKILL);  // a line without end
  boost::system::error_code ignored;
  err_.cancel(ignored);
  on_end(process_.Wait(), error_text_);
}

}  // namespace couplingd
