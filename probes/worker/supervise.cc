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

// Pages in RAM stand second in statm.
std::optional<std::uint64_t> ResidentBytesOf(pid_t pid) {
  const Result<std::string> text = ReadFile(fmt::format("/proc/{}/statm", pid), 4096);
  const std::size_t second = text ? text->find(' ') : std::string::npos;
  if (second == std::string::npos) return std::nullopt;
  const auto pages = std::strtoull(text->c_str() + second, nullptr, 10);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// What is known of one request while it runs and after it.
struct Course {
  std::optional<steady_clock::time_point> deadline;
  std::string input;
  std::size_t fed = 0;
  std::uint64_t received = 0;
  std::string bad_output;
  Ended why = Ended::kByItself;
  bool is_killed = false, has_result = false, is_served = false, out_of_memory = false;
  std::optional<int> error_code;  // of the first error frame
  std::optional<Error> untold;    // what was kept back
};

}  // namespace

class Supervisor::Impl {
 public:
  Impl(SuperviseOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock), output_(options_.output_fd) {}

  int Run(const SupervisedRequest& request) {
    request_ = &request;
    course_ = {};
    course_.input = request.text + "\n";
    last_words_.clear();
    if (!process_) {
      if (const Status started = Start(); !started) return NotStarted(started.error());
    }
    if (request.timeout) course_.deadline = clock_.Steady() + *request.timeout;
    while (!HasEnded() && !(course_.is_served && !request.is_last)) Step();
    if (!HasEnded()) return ConcludeServed();
    DrainFrames();
    TakeErrors(/*to_the_end=*/true);
    return Conclude();
  }

  bool is_waiting() const { return process_.has_value() && !HasDied(); }
  bool was_stopped() const {
    return course_.why == Ended::kOnRequest || course_.why == Ended::kNobodyReads;
  }
  const std::optional<Error>& untold() const { return course_.untold; }
  std::optional<std::uint64_t> ResidentBytes() const {
    return process_ ? ResidentBytesOf(process_->pid()) : std::nullopt;
  }
  int pid() const { return process_ ? process_->pid() : -1; }

 private:
  Status Start() {
    ProcessOptions start;
    start.arguments = options_.arguments;
    start.environment = options_.environment;
    start.pipe_stdin = start.pipe_stdout = start.pipe_stderr = true;
    process_.emplace(TRY(Process::Start(start)));
    for (const FileDescriptor* pipe :
         {&process_->stdin_pipe(), &process_->stdout_pipe(), &process_->stderr_pipe()}) {
      ::fcntl(pipe->get(), F_SETFL, O_NONBLOCK);
    }
    ended_ = false;
    line_.clear();
    return {};
  }

  int NotStarted(const Error& error) {
    (void)output_.Write(ErrorFrame(error));
    (void)output_.Write(ToJson(ExitFrame{.code = 127, .text = "not started"}));
    return ExitCode(error.kind);
  }

  bool HasDied() const {
    pollfd polled{process_->pidfd(), POLLIN, 0};
    return polled.fd >= 0 && ::poll(&polled, 1, 0) > 0;
  }

  bool HasEnded() {
    if (process_->pidfd() >= 0) return ended_;
    return !process_->stdout_pipe().valid() && !process_->stderr_pipe().valid();
  }

  void Step() {
    std::array<pollfd, 5> polled = {{{process_->stdout_pipe().get(), POLLIN, 0},
                                     {process_->stderr_pipe().get(), POLLIN, 0},
                                     {IsFed() ? -1 : process_->stdin_pipe().get(), POLLOUT, 0},
                                     {process_->pidfd(), POLLIN, 0},
                                     {options_.stop_fd, POLLIN, 0}}};
    const int ready = ::poll(polled.data(), polled.size(), MillisecondsLeft());
    if (course_.deadline && clock_.Steady() >= *course_.deadline) OnDeadline();
    if (ready <= 0) return;
    if (polled[0].revents) DrainFrames();
    if (polled[1].revents) TakeErrors(/*to_the_end=*/false);
    if (polled[2].revents) FeedRequest();
    if (polled[3].revents) ended_ = true;
    if (polled[4].revents) OnStopRequest();
  }

  int MillisecondsLeft() const {
    if (!course_.deadline) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*course_.deadline - clock_.Steady()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }

  bool IsFed() const { return course_.fed == course_.input.size(); }

  void FeedRequest() {
    const std::string_view rest = std::string_view(course_.input).substr(course_.fed);
    const ssize_t written = ::write(process_->stdin_pipe().get(), rest.data(), rest.size());
    if (written > 0) course_.fed += static_cast<std::size_t>(written);
    const bool failed = written < 0 && errno != EINTR && errno != EAGAIN;
    const bool is_over = course_.fed == course_.input.size() && request_->is_last;
    if (failed || is_over) process_->stdin_pipe().Close();
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

  // While the child lives, a block at a time: it may write faster than anybody reads.
  void TakeErrors(bool to_the_end) {
    Drain(process_->stderr_pipe(), [&](std::string_view text) {
      (void)!::write(2, text.data(), text.size());
      last_words_.append(text);
      if (last_words_.size() > kLastWords) last_words_.erase(0, last_words_.size() - kLastWords);
      return to_the_end;
    });
  }

  void DrainFrames() {
    Drain(process_->stdout_pipe(), [&](std::string_view bytes) {
      course_.received += bytes.size();
      if (course_.is_killed) return course_.received < options_.max_output_bytes;
      line_.append(bytes);
      for (std::size_t end = 0;
           !course_.is_killed && (end = line_.find('\n')) != std::string::npos;) {
        TakeLine(std::string_view(line_).substr(0, end));
        line_.erase(0, end + 1);
      }
      if (line_.size() >= kMaxFrameBytes) BadOutput("a line longer than a frame may be");
      if (course_.received > options_.max_output_bytes) BadOutput("more than it may altogether");
      return !course_.is_killed;
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
    if (name == "idle") {
      course_.is_served = true;
      return;
    }
    if (name == "result") course_.has_result = true;
    if (name == "error") {
      if (course_.why != Ended::kByItself) return;  // the reason why it was stopped says more
      NoteError(*frame);
      if (request_->is_tried_again) return KeepBack(*frame);
    }
    if (!output_.Write(line)) Stop(Ended::kNobodyReads, SIGKILL);
  }

  void KeepBack(const JsonValue& frame) {
    const JsonValue* message = FindMember(frame, "message");
    const std::string text = message && message->IsString() ? message->GetString() : "no message";
    if (!course_.untold) course_.untold = Error{ErrorKind::kInternal, text, ""};
  }

  void NoteError(const JsonValue& frame) {
    if (!course_.error_code) course_.error_code = ExitCode(ErrorKind::kInternal);
    const JsonValue* kind = FindMember(frame, "kind");
    for (int i = 0; kind && kind->IsString() && i <= static_cast<int>(ErrorKind::kInternal); ++i) {
      if (ToString(static_cast<ErrorKind>(i)) == kind->GetString())
        course_.error_code = ExitCode(static_cast<ErrorKind>(i));
    }
    const JsonValue* oom = FindMember(frame, "oom");
    course_.out_of_memory |= oom && oom->IsTrue();
  }

  void BadOutput(std::string_view what) {
    course_.bad_output = what;
    Stop(Ended::kBadOutput, SIGKILL);
  }

  void OnDeadline() {
    if (course_.why == Ended::kByItself) return Stop(Ended::kTimeout, SIGTERM);
    Kill();
  }

  void OnStopRequest() {
    char ignored[512];
    (void)!::read(options_.stop_fd, ignored, sizeof ignored);
    if (course_.why != Ended::kByItself) return Kill();
    Stop(Ended::kOnRequest, SIGTERM);
  }

  void Stop(Ended why, int signal) {
    if (course_.why == Ended::kByItself) course_.why = why;
    if (signal == SIGKILL) return Kill();
    process_->Signal(signal);
    course_.deadline = clock_.Steady() + request_->grace;
  }

  void Kill() {
    course_.is_killed = true;
    course_.deadline.reset();
    process_->Signal(SIGKILL);
  }

  int Conclude() {
    process_->Signal(SIGKILL);  // what it may have left in its group; its own status stands already
    const Result<ExitStatus> waited = process_->Wait();
    const ExitStatus exit = waited.value_or(ExitStatus{.code = 1});
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    if (exit.signal == SIGKILL && !course_.is_killed) course_.out_of_memory = true;
    if (exit.signal == SIGABRT && last_words_.contains("bad_alloc")) course_.out_of_memory = true;
    process_.reset();
    const bool good =
        course_.has_result && exit.ok() && course_.why == Ended::kByItself && !course_.error_code;
    const bool is_own_fault = course_.why == Ended::kByItself || course_.why == Ended::kBadOutput;
    const bool is_told = !request_->is_tried_again || !is_own_fault;
    if (!good && (!course_.error_code || (is_told && course_.untold))) {
      const Error error = Explain(exit);
      course_.error_code = ExitCode(error.kind);
      if (is_told) (void)output_.Write(ErrorFrame(error, course_.out_of_memory));
      if (!course_.untold) course_.untold = error;
    }
    if (!good && !is_told) return *course_.error_code;
    course_.untold.reset();
    (void)output_.Write(ToJson(ExitFrame{exit.code, exit.signal, exit.Text(), course_.out_of_memory,
                                         static_cast<std::uint64_t>(usage.ru_maxrss) * 1024}));
    return course_.error_code.value_or(0);
  }

  // The child lives on. One that says that it has served without a result is not believed again.
  int ConcludeServed() {
    TakeErrors(/*to_the_end=*/false);
    if (!course_.has_result || course_.error_code) {
      BadOutput("an end without a result");
      while (!HasEnded()) Step();
      return Conclude();
    }
    const std::uint64_t resident = ResidentBytes().value_or(0);
    (void)output_.Write(
        ToJson(ExitFrame{.text = "kept for the next evaluation", .max_rss_bytes = resident}));
    return 0;
  }

  Error Explain(const ExitStatus& exit) const {
    switch (course_.why) {
      case Ended::kTimeout:
        return {ErrorKind::kExhausted,
                fmt::format("the evaluation did not finish within {} s and was stopped",
                            std::chrono::duration<double>(*request_->timeout).count()),
                "raise evaluation.timeout, or evaluate fewer items", true};
      case Ended::kOnRequest:
        return {ErrorKind::kCancelled, "the evaluation was stopped on request", "", true};
      case Ended::kBadOutput:
        return {ErrorKind::kInternal,
                fmt::format("the evaluation process sent {} and was stopped", course_.bad_output),
                "the evaluator library is damaged, or a file took it over", true};
      case Ended::kNobodyReads:
        return {ErrorKind::kUnavailable, "nobody reads the frames any more", "", true};
      case Ended::kByItself:
        break;
    }
    const std::string words = LastLine();
    const std::string quoted = words.empty() ? "" : fmt::format("; its last words: {}", words);
    if (course_.out_of_memory) {
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

  const SuperviseOptions options_;
  const Clock& clock_;
  FrameWriter output_;
  std::optional<Process> process_;
  const SupervisedRequest* request_ = nullptr;  // during Run
  Course course_;
  std::string line_, last_words_;
  bool ended_ = false;
};

Supervisor::Supervisor(SuperviseOptions options, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), clock)) {}
Supervisor::~Supervisor() = default;

int Supervisor::Run(const SupervisedRequest& request) { return impl_->Run(request); }
bool Supervisor::is_waiting() const { return impl_->is_waiting(); }
bool Supervisor::was_stopped() const { return impl_->was_stopped(); }
const std::optional<Error>& Supervisor::untold() const { return impl_->untold(); }
std::optional<std::uint64_t> Supervisor::ResidentBytes() const { return impl_->ResidentBytes(); }
int Supervisor::pid() const { return impl_->pid(); }

}  // namespace couplingd
