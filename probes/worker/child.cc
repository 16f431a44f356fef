#include "probes/worker/child.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "base/files.h"
#include "probes/worker/evaluator_abi.h"
#include "probes/worker/frames.h"
#include "probes/worker/line_reader.h"
#include "probes/worker/request.h"
#include "probes/worker/sandbox.h"

namespace couplingd {
namespace {

SandboxPlan PlanFor(const EvaluateRequest& request, const std::string& evaluator) {
  SandboxPlan plan;
  plan.readable = request.Readable();
  plan.writable.push_back(request.scores_dir);
  if (!request.samples.empty()) plan.writable.push_back(DirectoryName(request.samples));
  plan.libraries = LibraryDirectories();
  plan.libraries.push_back(DirectoryName(evaluator));
  plan.gpu = request.device != "cpu";
  // On a GPU the limit is the evaluator's to keep: it is of GPU memory.
  if (!plan.gpu) plan.memory_limit_bytes = request.memory_limit_bytes;
  return plan;
}

using EvaluateFunction = decltype(&couplingd_evaluate);

Result<EvaluateFunction> OpenEvaluator(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* why = ::dlerror();
    return Fail(ErrorKind::kUnavailable,
                fmt::format("cannot open the evaluator: {}", why ? why : path),
                "build with libtorch (./dev build), or name the library with --evaluator");
  }
  const auto abi = reinterpret_cast<decltype(&couplingd_evaluator_abi)>(
      ::dlsym(library, "couplingd_evaluator_abi"));
  const auto evaluate = reinterpret_cast<EvaluateFunction>(::dlsym(library, "couplingd_evaluate"));
  if (!abi || !evaluate) {
    return Fail(ErrorKind::kUnavailable, fmt::format("{} is not an evaluator library", path));
  }
  if (const int version = abi(); version != COUPLINGD_EVALUATOR_ABI) {
    return Fail(ErrorKind::kUnavailable,
                fmt::format("{} has interface version {}, this program needs {}", path, version,
                            COUPLINGD_EVALUATOR_ABI),
                "install program and library of one release");
  }
  return evaluate;
}

// The library promises not to throw; what escapes all the same becomes an error frame.
int CallEvaluator(EvaluateFunction evaluate, const std::string& request, int frames_fd,
                  FrameWriter& frames) {
  Error error{ErrorKind::kInternal, "the evaluator threw an exception", "", true};
  bool out_of_memory = false;
  try {
    return evaluate(request.c_str(), frames_fd);
  } catch (const std::bad_alloc&) {
    error = {ErrorKind::kExhausted, "the evaluation ran out of memory",
             "lower evaluation.token_budget, or give it more memory", true};
    out_of_memory = true;
  } catch (const std::exception& exception) {
    error.message += fmt::format(": {}", exception.what());
  } catch (...) {
  }
  (void)frames.Write(ErrorFrame(error, out_of_memory));
  return ExitCode(error.kind);
}

Result<int> Evaluate(const std::string& evaluator, int frames_fd, FrameWriter& frames) {
  LineReader requests(0, kMaxRequestBytes);
  EvaluateFunction evaluate = nullptr;
  while (const std::optional<std::string> text = TRY(requests.Next())) {
    const EvaluateRequest request = TRY(ParseEvaluateRequest(*text));
    if (evaluate == nullptr) {
      const std::string library = TRY(RealPath(evaluator));
      TRY(frames.Write(SandboxFrame(EnterSandbox(PlanFor(request, library)))));
      evaluate = TRY(OpenEvaluator(library));
    }
    const int code = CallEvaluator(evaluate, request.Json(), frames_fd, frames);
    if (code != 0) return code;
    ::malloc_trim(0);  // a process that waits holds no memory that it does not use
    TRY(frames.Write(IdleFrame()));
  }
  return 0;
}

}  // namespace

void RunEvaluateChild(const std::string& evaluator) {
  std::signal(SIGPIPE, SIG_IGN);
  // Frames get a descriptor of their own, and stdout leads to stderr: a library that prints does no
  // harm.
  const int frames_fd = ::fcntl(1, F_DUPFD_CLOEXEC, 3);
  ::dup2(2, 1);
  FrameWriter frames(frames_fd);
  const Result<int> code = Evaluate(evaluator, frames_fd, frames);
  if (!code) (void)frames.Write(ErrorFrame(code.error()));
  std::fflush(nullptr);
  ::_exit(code ? *code : ExitCode(code.error().kind));
}

}  // namespace couplingd
