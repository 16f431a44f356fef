#include "base/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace couplingd {
namespace {

constexpr int kMostDescriptors = 65536;

struct Pipe {
  FileDescriptor read, write;
};

Result<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(ErrnoError(errno, "make", "a pipe"));
  return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// What libraries opened without O_CLOEXEC, a listening socket above all, stays with the parent.
void InheritStandardStreamsOnly() {
  if (::close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0) return;
  for (int fd = 3; fd < kMostDescriptors; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);  // Linux < 5.11
}

// Runs in the child between fork and exec: async-signal-safe calls only.
[[noreturn]] void BecomeProgram(const ProcessOptions& options, char* const* arguments,
                                char* const* environment, int in, int out, int err, pid_t parent,
                                int failure_fd) {
  if (options.new_process_group) ::setpgid(0, 0);
  if (options.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
  }
  if (options.nice != 0) (void)!::nice(options.nice);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int signal : {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::signal(signal, SIG_DFL);
  if (in >= 0) ::dup2(in, 0);
  if (out >= 0) ::dup2(out, 1);
  if (err >= 0) ::dup2(err, 2);
  InheritStandardStreamsOnly();
  if (options.working_directory.empty() || ::chdir(options.working_directory.c_str()) == 0) {
    ::execvpe(arguments[0], arguments, environment);
  }
  const int reason = errno;
  (void)!::write(failure_fd, &reason, sizeof reason);
  ::_exit(127);
}

// A program that ends without reading its input is an answer, not the end of this one: SIGPIPE is
// kept from this thread, and one that came is taken.
class BlockedSigpipe {
 public:
  BlockedSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~BlockedSigpipe() {
    const timespec at_once{0, 0};
    if (!sigismember(&before_, SIGPIPE)) ::sigtimedwait(&pipe_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  BlockedSigpipe(const BlockedSigpipe&) = delete;

 private:
  sigset_t pipe_, before_;
};

}  // namespace

std::string ExitStatus::Text() const {
  if (signal == 0) return fmt::format("exit code {}", code);
  const char* name = ::sigabbrev_np(signal);
  return name ? fmt::format("killed by SIG{}", name) : fmt::format("killed by signal {}", signal);
}

Result<Process> Process::Start(const ProcessOptions& options) {
  if (options.arguments.empty()) return Fail(ErrorKind::kInternal, "no program to start");
  Pipe in, out, err, failure;
  if (options.pipe_stdin) in = TRY(MakePipe());
  if (options.pipe_stdout) out = TRY(MakePipe());
  if (options.pipe_stderr) err = TRY(MakePipe());
  failure = TRY(MakePipe());
  FileDescriptor null;
  if (!options.pipe_stdin) null = FileDescriptor(::open("/dev/null", O_RDWR | O_CLOEXEC));

  const std::vector<char*> arguments = Pointers(options.arguments);
  const std::vector<char*> environment = Pointers(options.environment);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return std::unexpected(ErrnoError(errno, "start", options.arguments[0]));
  if (pid == 0) {
    BecomeProgram(options, arguments.data(), environment.data(),
                  options.pipe_stdin ? in.read.get() : null.get(), out.write.get(), err.write.get(),
                  parent, failure.write.get());
  }
  if (options.new_process_group) ::setpgid(pid, pid);
  failure.write.Close();
  int reason = 0;
  ssize_t got;
  do got = ::read(failure.read.get(), &reason, sizeof reason);
  while (got < 0 && errno == EINTR);
  if (got > 0) {
    ::waitpid(pid, nullptr, 0);
    return std::unexpected(ErrnoError(reason, "start", options.arguments[0]));
  }
  Process process;
  process.pid_ = pid;
  process.group_ = options.new_process_group;
  process.stdin_ = std::move(in.write);
  process.stdout_ = std::move(out.read);
  process.stderr_ = std::move(err.read);
  process.pidfd_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (process.pidfd_.valid()) ::fcntl(process.pidfd_.get(), F_SETFD, FD_CLOEXEC);
  return process;
}

Process::Process(Process&& other) noexcept { *this = std::move(other); }

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(group_, other.group_);
  std::swap(stdin_, other.stdin_);
  std::swap(stdout_, other.stdout_);
  std::swap(stderr_, other.stderr_);
  std::swap(pidfd_, other.pidfd_);
  return *this;
}

Process::~Process() {
  if (pid_ <= 0) return;
  Signal(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::Signal(int signal) const {
  if (pid_ > 0) ::kill(group_ ? -pid_ : pid_, signal);
}

Result<ExitStatus> Process::Wait() {
  int status = 0;
  pid_t waited;
  do waited = ::waitpid(pid_, &status, 0);
  while (waited < 0 && errno == EINTR);
  if (waited < 0) return std::unexpected(ErrnoError(errno, "wait for", "a child process"));
  pid_ = -1;
  if (WIFSIGNALED(status)) return ExitStatus{0, WTERMSIG(status)};
  return ExitStatus{WEXITSTATUS(status), 0};
}

Result<ProcessOutput> RunProcess(ProcessOptions options, std::string_view input,
                                 std::chrono::milliseconds timeout, std::size_t max_output,
                                 std::stop_token stop) {
  using std::chrono::milliseconds;
  constexpr milliseconds kStopCheck{250};
  options.pipe_stdin = options.pipe_stdout = options.pipe_stderr = true;
  const std::string program = options.arguments.empty() ? "" : options.arguments[0];
  Process process = TRY(Process::Start(options));
  FileDescriptor &in = process.stdin_pipe(), &out = process.stdout_pipe(),
                 &err = process.stderr_pipe();
  for (const FileDescriptor* pipe : {&in, &out, &err}) ::fcntl(pipe->get(), F_SETFL, O_NONBLOCK);
  if (input.empty()) in.Close();
  ProcessOutput output;
  const auto drain = [&](FileDescriptor& pipe, std::string& into) {
    char block[65536];
    ssize_t got = 0;
    while (pipe.valid() && (got = ::read(pipe.get(), block, sizeof block)) > 0) {
      const std::size_t room = max_output - std::min(max_output, into.size());
      into.append(block, std::min(room, static_cast<std::size_t>(got)));
    }
    if (pipe.valid() && (got == 0 || (errno != EAGAIN && errno != EINTR))) pipe.Close();
  };
  const auto kill = [&](Result<ProcessOutput> error) {
    process.Signal(SIGKILL);
    (void)process.Wait();
    return error;
  };
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  bool has_ended = false;
  while (!has_ended && (out.valid() || err.valid() || process.pidfd() >= 0)) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (stop.stop_requested()) {
      return kill(Fail(ErrorKind::kCancelled, fmt::format("{} was stopped", program)));
    }
    if (left.count() <= 0) {
      return kill(Fail(ErrorKind::kUnavailable,
                       fmt::format("{} did not finish within {} ms", program, timeout.count()), "",
                       true));
    }
    std::array<pollfd, 4> polled = {{{out.get(), POLLIN, 0},
                                     {err.get(), POLLIN, 0},
                                     {in.get(), POLLOUT, 0},
                                     {process.pidfd(), POLLIN, 0}}};
    const milliseconds wait = stop.stop_possible() ? std::min(left, kStopCheck) : left;
    ::poll(polled.data(), polled.size(), static_cast<int>(wait.count()));
    has_ended = polled[3].revents != 0;  // all that it wrote itself is in the pipes by now
    if (has_ended || polled[0].revents) drain(out, output.out);
    if (has_ended || polled[1].revents) drain(err, output.err);
    if (polled[2].revents) {
      const BlockedSigpipe blocked;
      const ssize_t written = ::write(in.get(), input.data(), input.size());
      if (written > 0) input.remove_prefix(static_cast<std::size_t>(written));
      if (input.empty() || (written < 0 && errno != EINTR && errno != EAGAIN)) in.Close();
    }
  }
  output.exit = TRY(process.Wait());
  return output;
}

std::vector<std::string> MinimalEnvironment() {
  std::vector<std::string> environment;
  for (const char* name : {"PATH", "HOME", "LANG", "TMPDIR"}) {
    if (const char* value = std::getenv(name))
      environment.push_back(fmt::format("{}={}", name, value));
  }
  return environment;
}

Result<std::string> ExecutableDirectory() { return DirectoryName(TRY(RealPath("/proc/self/exe"))); }

}  // namespace couplingd
