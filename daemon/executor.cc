#include "daemon/executor.h"

#include <fmt/format.h>
#include <signal.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <set>

#include "base/process.h"

namespace couplingd {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMaxLine = 2u << 20;
constexpr std::size_t kMaxErrorText = 4096;
constexpr std::chrono::seconds kInspectTimeout{120};
constexpr std::chrono::seconds kGraceOfWorker{
    60};  // beyond the request's own timeout, which the worker keeps itself
constexpr std::chrono::seconds kGraceOfSigterm{10};

// One run of a program that prints lines: feeds its stdin, hands over each line, tells how it
// ended.
class LineProcess : public std::enable_shared_from_this<LineProcess> {
 public:
  LineProcess(asio::io_context& io, Process process, std::string input)
      : process_(std::move(process)),
        input_(std::move(input)),
        in_(io, process_.stdin_pipe().Release()),
        out_(io, process_.stdout_pipe().Release()),
        err_(io, process_.stderr_pipe().Release()),
        deadline_(io),
        buffer_(kMaxLine) {}

  std::function<void(std::string_view)> on_line;
  std::function<void(Result<ExitStatus>, const std::string& error_text)> on_end;

  void Run(std::chrono::milliseconds timeout) {
    asio::async_write(in_, asio::buffer(input_),
                      [self = shared_from_this()](boost::system::error_code, std::size_t) {
                        boost::system::error_code ignored;
                        self->in_.close(ignored);
                      });
    ReadLine();
    ReadError();
    KillAfter(timeout);
  }

  void Stop() {
    process_.Signal(SIGTERM);
    KillAfter(kGraceOfSigterm);
  }

 private:
  void KillAfter(std::chrono::milliseconds timeout) {
    deadline_.expires_after(timeout);
    deadline_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
      if (const auto self = weak.lock(); self && !error) self->process_.Signal(SIGKILL);
    });
  }

  void ReadLine() {
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

  void ReadError() {
    err_.async_read_some(
        asio::buffer(block_),
        [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
          if (error) return;
          const std::size_t room =
              kMaxErrorText - std::min(kMaxErrorText, self->error_text_.size());
          self->error_text_.append(self->block_, std::min(room, size));
          self->ReadError();
        });
  }

  void Finish(boost::system::error_code error) {
    deadline_.cancel();
    if (error != asio::error::eof) process_.Signal(SIGKILL);  // a line without end
    boost::system::error_code ignored;
    err_.cancel(ignored);
    on_end(process_.Wait(), error_text_);
  }

  Process process_;
  std::string input_;
  asio::posix::stream_descriptor in_, out_, err_;
  asio::steady_timer deadline_;
  asio::streambuf buffer_;
  char block_[4096];
  std::string error_text_;
};

class LocalExecutor final : public Executor {
 public:
  LocalExecutor(asio::io_context& io, std::vector<std::string> probe)
      : io_(io), probe_(std::move(probe)) {}

  void Inspect(const std::string& directory,
               std::function<void(Result<InspectAnswer>)> done) override {
    auto answer = std::make_shared<std::string>();
    Start(
        {"inspect", directory}, "", kInspectTimeout, 0,
        [answer](std::string_view line) { answer->append(line); },
        [answer, directory, done](Result<ExitStatus> exit, const std::string& error_text) {
          done(exit && exit->ok() ? ParseInspectAnswer(*answer)
                                  : InspectFailure(directory, exit, error_text));
        },
        [done](Error error) { done(std::unexpected(std::move(error))); });
  }

  void Evaluate(std::int64_t tag, const WorkerRequest& request,
                std::function<void(Result<WorkerResult>)> done) override {
    auto frames = std::make_shared<WorkerFrames>();
    frames_[tag] = frames;
    const auto timeout = request.evaluation.timeout + kGraceOfWorker;
    Start(
        {"evaluate"}, ToJson(request), timeout, tag,
        [frames](std::string_view line) { frames->Take(line); },
        [this, tag, frames, done](Result<ExitStatus>, const std::string&) {
          const bool cancelled = cancelled_.erase(tag) > 0;
          Forget(tag);
          Result<WorkerResult> result = frames->Finish();
          if (!result && cancelled)
            result = Fail(ErrorKind::kCancelled, "the evaluation was stopped", "", true);
          done(std::move(result));
        },
        [this, tag, done](Error error) {
          Forget(tag);
          done(std::unexpected(std::move(error)));
        });
  }

  void Cancel(std::int64_t tag) override {
    const auto running = running_.find(tag);
    if (running == running_.end()) return;
    cancelled_.insert(tag);
    if (const auto process = running->second.lock()) process->Stop();
  }

  double Progress(std::int64_t tag) const override {
    const auto frames = frames_.find(tag);
    return frames == frames_.end() ? 0 : frames->second->progress();
  }

  std::size_t running() const override { return frames_.size(); }

 private:
  static std::unexpected<Error> InspectFailure(const std::string& directory,
                                               const Result<ExitStatus>& exit,
                                               const std::string& error_text) {
    if (!exit) return std::unexpected(exit.error());
    std::string text = error_text.substr(0, error_text.find('\n'));
    if (text.empty()) text = fmt::format("couplingd-probe inspect {}: {}", directory, exit->Text());
    return Fail(ErrorKind::kInvalidData, text, "", exit->signal != 0);
  }

  void Start(std::vector<std::string> arguments, std::string input,
             std::chrono::milliseconds timeout, std::int64_t tag,
             std::function<void(std::string_view)> on_line,
             std::function<void(Result<ExitStatus>, const std::string&)> on_end,
             std::function<void(Error)> on_failure) {
    ProcessOptions options;
    options.arguments = probe_;
    options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
    options.environment = MinimalEnvironment();
    options.pipe_stdin = options.pipe_stdout = options.pipe_stderr = true;
    Result<Process> process = Process::Start(options);
    if (!process) {
      asio::post(io_, [on_failure, error = process.error()] { on_failure(error); });
      return;
    }
    auto line_process = std::make_shared<LineProcess>(io_, *std::move(process), std::move(input));
    line_process->on_line = std::move(on_line);
    line_process->on_end = std::move(on_end);
    if (tag != 0) running_[tag] = line_process;
    line_process->Run(timeout);
  }

  void Forget(std::int64_t tag) {
    running_.erase(tag);
    frames_.erase(tag);
  }

  asio::io_context& io_;
  const std::vector<std::string> probe_;
  std::map<std::int64_t, std::weak_ptr<LineProcess>> running_;
  std::map<std::int64_t, std::shared_ptr<WorkerFrames>> frames_;
  std::set<std::int64_t> cancelled_;
};

}  // namespace

std::unique_ptr<Executor> MakeLocalExecutor(boost::asio::io_context& io,
                                            std::vector<std::string> probe) {
  return std::make_unique<LocalExecutor>(io, std::move(probe));
}

}  // namespace couplingd
