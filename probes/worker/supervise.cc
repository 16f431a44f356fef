#include "probes/worker/supervise.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "base/json.h"
#include "base/process.h"
#include "probes/worker/frames.h"

namespace couplingd {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kLastWords = 2048;

enum class Ended { kByItself, kTimeout, kOnRequest, kBadOutput, kNobodyReads };

class Supervisor {
 public:
  Supervisor(const SuperviseOptions& options, const Clock& clock)
      : options_(options), clock_(clock), output_(options.output_fd) {}

  int Run() {
    ProcessOptions start;
    start.arguments = options_.arguments;
    start.environment = options_.environment;
    start.pipe_stdin = start.pipe_stdout = start.pipe_stderr = true;
    Result<Process> started = Process::Start(start);
    if (!started) {
      (void)output_.Write(ErrorFrame(started.error()));
      (void)output_.Write(ToJson(ExitFrame{.code = 127, .text = "not started"}));
      return ExitCode(started.error().kind);
    }
    process_.emplace(std::move(*started));
    for (const FileDescriptor* pipe :
         {&process_->stdin_pipe(), &process_->stdout_pipe(), &process_->stderr_pipe()}) {
      ::fcntl(pipe->get(), F_SETFL, O_NONBLOCK);
    }
    if (options_.timeout) deadline_ = clock_.Steady() + *options_.timeout;
    while (!HasEnded()) Step();
    DrainFrames();
    DrainErrors();
    return Conclude();
  }

 private:
  bool HasEnded() {
    if (process_->pidfd() >= 0) return ended_;
    return !process_->stdout_pipe().valid() && !process_->stderr_pipe().valid();
  }

  void Step() {
    std::array<pollfd, 5> polled = {{{process_->stdout_pipe().get(), POLLIN, 0},
                                     {process_->stderr_pipe().get(), POLLIN, 0},
                                     {process_->stdin_pipe().get(), POLLOUT, 0},
                                     {process_->pidfd(), POLLIN, 0},
                                     {options_.stop_fd, POLLIN, 0}}};
    const int ready = ::poll(polled.data(), polled.size(), MillisecondsLeft());
    if (deadline_ && clock_.Steady() >= *deadline_) OnDeadline();
    if (ready <= 0) return;
    if (polled[0].revents) DrainFrames();
    if (polled[1].revents) DrainErrors();
    if (polled[2].revents) FeedRequest();
    if (polled[3].revents) ended_ = true;
    if (polled[4].revents) OnStopRequest();
  }

  int MillisecondsLeft() const {
    if (!deadline_) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - clock_.Steady()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }

  void FeedRequest() {
    const std::string_view rest = std::string_view(options_.request).substr(fed_);
    const ssize_t written = ::write(process_->stdin_pipe().get(), rest.data(), rest.size());
    if (written > 0) fed_ += static_cast<std::size_t>(written);
    const bool failed = written < 0 && errno != EINTR && errno != EAGAIN;
    if (failed || fed_ == options_.request.size()) process_->stdin_pipe().Close();
  }

  // Reads what is there; at the end, or where only a stray grandchild could still write, stops.
  template <typename Take>
  void Drain(FileDescriptor& pipe, Take take) {
    char block[65536];
    while (pipe.valid()) {
      const ssize_t got = ::read(pipe.get(), block, sizeof block);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return pipe.Close();
      if (!take(std::string_view(block, static_cast<std::size_t>(got)))) return;
    }
  }

  void DrainErrors() {
    Drain(process_->stderr_pipe(), [&](std::string_view text) {
      (void)!::write(2, text.data(), text.size());
      last_words_.append(text);
      if (last_words_.size() > kLastWords) last_words_.erase(0, last_words_.size() - kLastWords);
      return true;
    });
  }

  void DrainFrames() {
    Drain(process_->stdout_pipe(), [&](std::string_view bytes) {
      received_ += bytes.size();
      if (killed_) return received_ < options_.max_output_bytes;
      line_.append(bytes);
      for (std::size_t end = 0; !killed_ && (end = line_.find('\n')) != std::string::npos;) {
        TakeLine(std::string_view(line_).substr(0, end));
        line_.erase(0, end + 1);
      }
      if (line_.size() >= kMaxFrameBytes) BadOutput("a line longer than a frame may be");
      if (received_ > options_.max_output_bytes) BadOutput("more than it may altogether");
      return !killed_;
    });
  }

  void TakeLine(std::string_view line) {
    if (line.size() >= kMaxFrameBytes) return BadOutput("a line longer than a frame may be");
    const Result<JsonDocument> frame =
        ParseJson(line, "frame", {.max_bytes = kMaxFrameBytes, .max_depth = 32});
    const JsonValue* kind = frame ? FindMember(*frame, "frame") : nullptr;
    if (!kind || !kind->IsString() || std::string_view(kind->GetString()) == "exit") {
      return BadOutput("something that is not a frame");
    }
    const std::string_view name = kind->GetString();
    if (name == "result") has_result_ = true;
    if (name == "error") {
      if (why_ != Ended::kByItself) return;  // the reason why it was stopped says more
      NoteError(*frame);
    }
    if (!output_.Write(line)) Stop(Ended::kNobodyReads, SIGKILL);
  }

  void NoteError(const JsonValue& frame) {
    if (!error_code_) error_code_ = ExitCode(ErrorKind::kInternal);
    const JsonValue* kind = FindMember(frame, "kind");
    for (int i = 0; kind && kind->IsString() && i <= static_cast<int>(ErrorKind::kInternal); ++i) {
      if (ToString(static_cast<ErrorKind>(i)) == kind->GetString())
        error_code_ = ExitCode(static_cast<ErrorKind>(i));
    }
    const JsonValue* oom = FindMember(frame, "oom");
    out_of_memory_ |= oom && oom->IsTrue();
  }

  void BadOutput(std::string_view what) {
    bad_output_ = what;
    Stop(Ended::kBadOutput, SIGKILL);
  }

  void OnDeadline() {
    if (why_ == Ended::kByItself) return Stop(Ended::kTimeout, SIGTERM);
    Kill();
  }

  void OnStopRequest() {
    char ignored[512];
    (void)!::read(options_.stop_fd, ignored, sizeof ignored);
    if (why_ != Ended::kByItself) return Kill();
    Stop(Ended::kOnRequest, SIGTERM);
  }

  void Stop(Ended why, int signal) {
    if (why_ == Ended::kByItself) why_ = why;
    if (signal == SIGKILL) return Kill();
    process_->Signal(signal);
    deadline_ = clock_.Steady() + options_.grace;
  }

  void Kill() {
    killed_ = true;
    deadline_.reset();
    process_->Signal(SIGKILL);
  }

  int Conclude() {
    process_->Signal(SIGKILL);  // what it may have left in its group; its own status stands already
    const Result<ExitStatus> waited = process_->Wait();
    const ExitStatus exit = waited.value_or(ExitStatus{.code = 1});
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    if (exit.signal == SIGKILL && !killed_) out_of_memory_ = true;
    if (exit.signal == SIGABRT && last_words_.contains("bad_alloc")) out_of_memory_ = true;
    const bool good = has_result_ && exit.ok() && why_ == Ended::kByItself && !error_code_;
    if (!good && !error_code_) {
      const Error error = Explain(exit);
      error_code_ = ExitCode(error.kind);
      (void)output_.Write(ErrorFrame(error, out_of_memory_));
    }
    (void)output_.Write(ToJson(ExitFrame{exit.code, exit.signal, exit.Text(), out_of_memory_,
                                         static_cast<std::uint64_t>(usage.ru_maxrss) * 1024}));
    return error_code_.value_or(0);
  }

  Error Explain(const ExitStatus& exit) const {
    switch (why_) {
      case Ended::kTimeout:
        return {ErrorKind::kExhausted,
                fmt::format("the evaluation did not finish within {} s and was stopped",
                            std::chrono::duration<double>(*options_.timeout).count()),
                "raise evaluation.timeout, or evaluate fewer items", true};
      case Ended::kOnRequest:
        return {ErrorKind::kCancelled, "the evaluation was stopped on request", "", true};
      case Ended::kBadOutput:
        return {ErrorKind::kInternal,
                fmt::format("the evaluation process sent {} and was stopped", bad_output_),
                "the evaluator library is damaged, or a file took it over", true};
      case Ended::kNobodyReads:
        return {ErrorKind::kUnavailable, "nobody reads the frames any more", "", true};
      case Ended::kByItself:
        break;
    }
    const std::string words = LastLine();
    const std::string quoted = words.empty() ? "" : fmt::format("; its last words: {}", words);
    if (out_of_memory_) {
      return {ErrorKind::kExhausted,
              fmt::format("the evaluation process ran out of memory ({}){}", exit.Text(), quoted),
              "lower evaluation.token_budget, or give it more memory", true};
    }
    if (exit.signal != 0) {
      return {ErrorKind::kInternal,
              fmt::format("the evaluation process crashed: {}{}", exit.Text(), quoted),
              "a damaged checkpoint can do this; the daemon is not affected", true};
    }
    if (exit.code != 0) {
      return {ErrorKind::kInternal,
              fmt::format("the evaluation process ended with {} and did not say why{}", exit.Text(),
                          quoted),
              "", true};
    }
    return {ErrorKind::kInternal,
            fmt::format("the evaluation process ended without a result{}", quoted), "", true};
  }

  std::string LastLine() const {
    std::string_view words = last_words_;
    while (words.ends_with('\n') || words.ends_with(' ')) words.remove_suffix(1);
    const std::size_t start = words.rfind('\n');
    if (start != std::string_view::npos) words.remove_prefix(start + 1);
    std::string line = ToValidUtf8(words.substr(0, 300));
    std::ranges::replace_if(
        line, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
    return line;
  }

  const SuperviseOptions& options_;
  const Clock& clock_;
  FrameWriter output_;
  std::optional<Process> process_;
  std::optional<steady_clock::time_point> deadline_;
  std::size_t fed_ = 0;
  std::uint64_t received_ = 0;
  std::string line_, last_words_;
  std::string bad_output_;
  Ended why_ = Ended::kByItself;
  bool ended_ = false, killed_ = false, has_result_ = false, out_of_memory_ = false;
  std::optional<int> error_code_;  // of the first error frame
};

}  // namespace

int Supervise(const SuperviseOptions& options, const Clock& clock) {
  return Supervisor(options, clock).Run();
}

}  // namespace couplingd
