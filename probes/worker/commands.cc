#include "probes/worker/commands.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "base/units.h"
#include "probes/checkpoint/inspect.h"
#include "probes/device/nvml.h"
#include "probes/worker/frames.h"
#include "probes/worker/gpu_choice.h"
#include "probes/worker/line_reader.h"
#include "probes/worker/request.h"
#include "probes/worker/sandbox.h"
#include "probes/worker/supervise.h"
#include "probes/worker/warm_worker.h"

namespace couplingd {
namespace {

constexpr std::string_view kEvaluatorName = "libcouplingd_evaluator.so";
constexpr std::uint64_t kInspectMemory = 4ull << 30;

// Unlike fmt::print, does not throw where nobody reads.
void Print(std::FILE* to, const std::string& text) {
  (void)!std::fwrite(text.data(), 1, text.size(), to);
}

int Report(const Error& error) {
  Print(stderr, error.Text() + "\n");
  return ExitCode(error.kind);
}

Result<Inspection> InspectInSandbox(const InspectCommand& command) {
  InspectOptions options;
  options.limits.max_header_bytes = command.max_header_bytes;
  if (!command.layout.empty()) {
    options.layout = ParseLayout(command.layout);
    if (!options.layout) {
      return Fail(ErrorKind::kUsage, fmt::format("\"{}\" is not a layout", command.layout),
                  "use trainer, step or model");
    }
  }
  for (const std::string& root : command.read_roots)
    options.read_roots.push_back(TRY(RealPath(root)));
  const std::string real = TRY(RealPath(command.directory));
  SandboxPlan plan;
  plan.readable = options.read_roots;
  plan.readable.push_back(real);
  plan.memory_limit_bytes = kInspectMemory;
  (void)EnterSandbox(plan);
  return Inspect(command.directory, options);
}

void WriteGpu(JsonWriter& json, const Gpu& gpu) {
  json.BeginObject().Field("index", static_cast<std::int64_t>(gpu.index)).Field("uuid", gpu.uuid);
  json.Field("name", gpu.name)
      .Field("total_bytes", gpu.total_bytes)
      .Field("free_bytes", gpu.free_bytes);
  json.Key("utilization_percent");
  gpu.utilization_percent ? json.Value(static_cast<std::int64_t>(*gpu.utilization_percent))
                          : json.Null();
  json.Field("compute_capability", fmt::format("{}.{}", gpu.compute_major, gpu.compute_minor));
  json.Field("mig", gpu.mig).Field("problem", gpu.problem);
  json.Key("processes").BeginArray();
  for (const GpuProcess& process : gpu.processes) {
    json.BeginObject().Field("pid", static_cast<std::int64_t>(process.pid));
    json.Field("used_bytes", process.used_bytes).EndObject();
  }
  json.EndArray().EndObject();
}

std::string ToJson(const GpuReport& report) {
  JsonWriter json;
  json.BeginObject().Field("driver", report.driver).Field("driver_version", report.driver_version);
  json.Field("reason", report.reason).Key("gpus").BeginArray();
  for (const Gpu& gpu : report.gpus) WriteGpu(json, gpu);
  return json.EndArray().EndObject().Text();
}

std::string ToText(const GpuReport& report) {
  if (!report.driver) return fmt::format("{}; models are evaluated on the CPU\n", report.reason);
  std::string text =
      fmt::format("NVIDIA driver {}, {} GPUs\n", report.driver_version, report.gpus.size());
  for (const Gpu& gpu : report.gpus) {
    if (!gpu.problem.empty()) {
      text += fmt::format("{:3}  {}\n", gpu.index, gpu.problem);
      continue;
    }
    const std::string busy = gpu.utilization_percent
                                 ? fmt::format("{} % busy", *gpu.utilization_percent)
                                 : std::string("utilisation unknown");
    text += fmt::format("{:3}  {}  {}  {} of {} free  {}  {} processes{}\n", gpu.index, gpu.uuid,
                        gpu.name, FormatSize(gpu.free_bytes), FormatSize(gpu.total_bytes), busy,
                        gpu.processes.size(), gpu.mig ? "  (MIG)" : "");
  }
  return text;
}

Result<std::string> FindEvaluator(const std::string& named) {
  if (!named.empty()) return RealPath(named);
  const std::string own = TRY(ExecutableDirectory());
  for (const char* place : {".", "../lib/couplingd", "../lib"}) {
    const std::string path = JoinPath(JoinPath(own, place), kEvaluatorName);
    if (::access(path.c_str(), R_OK) == 0) return RealPath(path);
  }
  return Fail(ErrorKind::kUnavailable,
              fmt::format("{} is not beside the program in {}", kEvaluatorName, own),
              "build with libtorch (./dev build), or name the library with --evaluator");
}

std::vector<std::string> ChildEnvironment(const EvaluateRequest& request, const GpuChoice& gpu) {
  std::vector<std::string> environment = MinimalEnvironment();
  environment.push_back("CUDA_DEVICE_ORDER=PCI_BUS_ID");
  environment.push_back("CUDA_VISIBLE_DEVICES=" + gpu.visible);
  environment.push_back("CUDA_CACHE_DISABLE=1");  // its place is outside the sandbox
  if (request.threads > 0)
    environment.push_back(fmt::format("OMP_NUM_THREADS={}", request.threads));
  if (const char* search = std::getenv("LD_LIBRARY_PATH")) {
    environment.push_back(fmt::format("LD_LIBRARY_PATH={}", search));
  }
#if defined(__SANITIZE_ADDRESS__)
  environment.push_back("ASAN_OPTIONS=detect_leaks=0");  // the leak check makes a process
#endif
  return environment;
}

// SIGTERM and SIGINT as a readable descriptor.
Result<FileDescriptor> StopSignals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  FileDescriptor fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return std::unexpected(ErrnoError(errno, "wait for", "signals"));
  return fd;
}

Result<GpuChoice> ChooseDevice(const EvaluateRequest& request, const std::string& nvml) {
  GpuChoiceOptions options;
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) options.allowed = visible;
  const Result<GpuReport> report = request.device == "cpu" ? GpuReport{} : QueryGpus(nvml);
  return ChooseGpu(request.device, report, options);
}

// A GPU that was given up a moment ago still counts as busy: until it is found, a while has passed,
// or `stop_fd` can be read.
Result<GpuChoice> AwaitDevice(const EvaluateRequest& request, const std::string& nvml, int stop_fd,
                              const Clock& clock) {
  constexpr std::chrono::seconds kPatience{5};
  constexpr int kLookEveryMs = 250;
  const auto limit = clock.Steady() + kPatience;
  while (true) {
    Result<GpuChoice> choice = ChooseDevice(request, nvml);
    const bool is_busy = !choice && choice.error().kind == ErrorKind::kConflict;
    if (!is_busy || clock.Steady() >= limit) return choice;
    pollfd stop{stop_fd, POLLIN, 0};
    if (::poll(&stop, 1, kLookEveryMs) > 0) return choice;
  }
}

// True where nobody but the process computes on the GPU.
bool IsAloneOnGpu(const std::string& uuid, int pid, const std::string& nvml) {
  const Result<GpuReport> report = QueryGpus(nvml);
  if (!report) return false;
  const auto found = std::ranges::find(report->gpus, uuid, &Gpu::uuid);
  return found != report->gpus.end() && found->problem.empty() &&
         std::ranges::all_of(found->processes, [&](const GpuProcess& process) {
           return process.pid == static_cast<unsigned>(pid);
         });
}

SuperviseOptions ChildOf(const std::string& evaluator, const EvaluateRequest& request,
                         const GpuChoice& gpu, int stop_fd) {
  return {.arguments = {"/proc/self/exe", "evaluate-child", "--evaluator", evaluator},
          .environment = ChildEnvironment(request, gpu),
          .stop_fd = stop_fd};
}

Result<int> Evaluate(const EvaluateCommand& command, FrameWriter& frames) {
  const FileDescriptor stop = TRY(StopSignals());
  const std::string text =
      TRY(command.request_file.empty() ? ReadAll(0, kMaxRequestBytes)
                                       : ReadFile(command.request_file, kMaxRequestBytes));
  EvaluateRequest request = TRY(ParseEvaluateRequest(text));
  const std::string evaluator = TRY(FindEvaluator(command.evaluator));
  const SystemClock clock;
  const GpuChoice gpu = TRY(AwaitDevice(request, command.nvml, stop.get(), clock));
  request.device = gpu.device;
  request.device_free_bytes = gpu.free_bytes;
  TRY(frames.Write(NoteFrame("device", gpu.note)));
  Supervisor supervisor(ChildOf(evaluator, request, gpu, stop.get()), clock);
  return supervisor.Run(Supervised(request));
}

Result<int> Serve(const EvaluateCommand& command) {
  const FileDescriptor stop = TRY(StopSignals());
  const std::string evaluator = TRY(FindEvaluator(command.evaluator));
  const SystemClock clock;
  WarmWorkerParts parts{.clock = clock};
  parts.stop_fd = stop.get();
  parts.choose = [&](const EvaluateRequest& request) {
    return AwaitDevice(request, command.nvml, stop.get(), clock);
  };
  parts.is_alone = [&](const std::string& uuid, int pid) {
    return IsAloneOnGpu(uuid, pid, command.nvml);
  };
  parts.child = [&](const EvaluateRequest& request, const GpuChoice& gpu) {
    return ChildOf(evaluator, request, gpu, stop.get());
  };
  return WarmWorker(std::move(parts)).Serve();
}

int ReportNotStarted(const Error& error, FrameWriter& frames) {
  const int status = ExitCode(error.kind);
  (void)frames.Write(ErrorFrame(error));
  (void)frames.Write(
      ToJson(ExitFrame{.code = status, .text = fmt::format("exit code {}, not started", status)}));
  return status;
}

}  // namespace

int RunInspect(const InspectCommand& command) {
  const Result<Inspection> inspection = InspectInSandbox(command);
  if (!inspection) return Report(inspection.error());
  Print(stdout, ToJson(*inspection) + "\n");
  return 0;
}

int RunDevices(bool json, const std::string& library) {
  const Result<GpuReport> report = QueryGpus(library);
  if (!report) return Report(report.error());
  Print(stdout, json ? ToJson(*report) + "\n" : ToText(*report));
  return 0;
}

int RunEvaluate(const EvaluateCommand& command) {
  std::signal(SIGPIPE, SIG_IGN);
  FrameWriter frames(1);
  const Result<int> code = Evaluate(command, frames);
  return code ? *code : ReportNotStarted(code.error(), frames);
}

int RunServe(const EvaluateCommand& command) {
  std::signal(SIGPIPE, SIG_IGN);
  const Result<int> code = Serve(command);
  return code ? *code : Report(code.error());
}

}  // namespace couplingd
