// Child processes without a shell.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace couplingd {

struct ProcessOptions {
  std::vector<std::string>
      arguments;  // arguments[0] is the program, found on PATH if it has no slash
  std::vector<std::string> environment;  // "NAME=value"; exactly these, nothing is inherited
  std::string working_directory;         // empty: the caller's
  bool pipe_stdin = false;
  bool pipe_stdout = false;
  bool pipe_stderr = false;       // otherwise stderr is the caller's
  bool new_process_group = true;  // so that Signal reaches grandchildren
  bool die_with_parent = true;    // PR_SET_PDEATHSIG SIGKILL
  int nice = 0;
};

// How a process ended, the same under fork, systemd and Slurm.
struct ExitStatus {
  int code = 0;    // exit code, when signal is 0
  int signal = 0;  // the signal that killed it, or 0
  bool ok() const { return code == 0 && signal == 0; }
  std::string Text() const;  // "exit code 3", "killed by SIGSEGV"
};

// A running child; of the caller's open files it has the standard streams alone. The destructor
// kills and reaps what still runs. Not thread-safe.
class Process {
 public:
  static Result<Process> Start(const ProcessOptions& options);
  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  ~Process();

  pid_t pid() const { return pid_; }
  FileDescriptor& stdin_pipe() { return stdin_; }
  FileDescriptor& stdout_pipe() { return stdout_; }
  FileDescriptor& stderr_pipe() { return stderr_; }
  // Readable (poll) once the child has ended; -1 where the kernel has no pidfd.
  int pidfd() const { return pidfd_.get(); }

  // Sends to the process group where there is one.
  void Signal(int signal) const;
  Result<ExitStatus> Wait();

 private:
  Process() = default;
  pid_t pid_ = -1;
  bool group_ = false;
  FileDescriptor stdin_, stdout_, stderr_, pidfd_;
};

struct ProcessOutput {
  ExitStatus exit;
  std::string out;
  std::string err;
};

// Runs until the program has ended, feeding `input` and keeping at most `max_output` bytes of each
// stream (the rest is read and dropped). What it leaves running in the background is not waited
// for. At the timeout the group gets SIGKILL and the call fails with kUnavailable; so it does with
// kCancelled within about a quarter of a second of a stop.
Result<ProcessOutput> RunProcess(ProcessOptions options, std::string_view input,
                                 std::chrono::milliseconds timeout,
                                 std::size_t max_output = 16u << 20, std::stop_token stop = {});

// PATH, HOME, LANG and TMPDIR of this process as "NAME=value": the environment that children get.
std::vector<std::string> MinimalEnvironment();

// The folder that holds the running executable.
Result<std::string> ExecutableDirectory();

}  // namespace couplingd
