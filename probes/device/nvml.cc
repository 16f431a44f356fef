#include "probes/device/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <memory>

namespace couplingd {
namespace {

// The part of NVML's C interface that is used, as its versioned entry points fix it.
using NvmlReturn = int;
using NvmlDevice = void*;
constexpr NvmlReturn kSuccess = 0;
constexpr NvmlReturn kInsufficientSize = 7;
constexpr NvmlReturn kDriverNotLoaded = 9;
constexpr unsigned kNameSize = 96;

struct NvmlMemory {
  unsigned long long total, free, used;
};
struct NvmlUtilization {
  unsigned gpu, memory;
};
struct NvmlProcess {  // of the _v2 and _v3 entry points
  unsigned pid;
  unsigned long long used_memory;
  unsigned gpu_instance, compute_instance;
};
constexpr unsigned long long kMemoryNotAvailable = ~0ull;

struct LibraryCloser {
  void operator()(void* library) const { ::dlclose(library); }
};
using Library = std::unique_ptr<void, LibraryCloser>;

// Between nvmlInit and nvmlShutdown.
class Nvml {
 public:
  explicit Nvml(Library library) : library_(std::move(library)) {}
  ~Nvml() {
    if (initialized_) (void)Call("nvmlShutdown");
  }

  NvmlReturn Init() {
    const NvmlReturn result = Call("nvmlInit_v2");
    initialized_ = result == kSuccess;
    return result;
  }

  // kNotThere where the library lacks the entry point.
  template <typename... Arguments>
  NvmlReturn Call(const char* name, Arguments... arguments) const {
    using Function = NvmlReturn (*)(Arguments...);
    const auto function = reinterpret_cast<Function>(::dlsym(library_.get(), name));
    return function ? function(arguments...) : kNotThere;
  }

  std::string TextOf(NvmlReturn result) const {
    if (result == kNotThere) return "the library lacks it";
    using Function = const char* (*)(NvmlReturn);
    const auto function = reinterpret_cast<Function>(::dlsym(library_.get(), "nvmlErrorString"));
    return function ? function(result) : fmt::format("error {}", result);
  }

 private:
  static constexpr NvmlReturn kNotThere = -1;
  Library library_;
  bool initialized_ = false;
};

std::unexpected<Error> Failed(const Nvml& nvml, std::string_view call, NvmlReturn result) {
  return Fail(ErrorKind::kUnavailable, fmt::format("NVML: {}: {}", call, nvml.TextOf(result)),
              "see nvidia-smi; after a driver upgrade the machine has to be restarted", true);
}

std::vector<GpuProcess> ProcessesOf(const Nvml& nvml, NvmlDevice device) {
  for (const char* name :
       {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"}) {
    std::vector<NvmlProcess> found(64);
    auto count = static_cast<unsigned>(found.size());
    NvmlReturn result = nvml.Call(name, device, &count, found.data());
    if (result == kInsufficientSize) {
      found.resize(count + 16);
      count = static_cast<unsigned>(found.size());
      result = nvml.Call(name, device, &count, found.data());
    }
    if (result != kSuccess) continue;
    std::vector<GpuProcess> processes;
    for (unsigned i = 0; i < count && i < found.size(); ++i) {
      const bool known = found[i].used_memory != kMemoryNotAvailable;
      processes.push_back({found[i].pid, known ? std::optional<std::uint64_t>(found[i].used_memory)
                                               : std::nullopt});
    }
    return processes;
  }
  return {};
}

Status Describe(const Nvml& nvml, Gpu& gpu) {
  NvmlDevice device = nullptr;
  std::array<char, kNameSize> text{};
  NvmlMemory memory{};
  const auto require = [&](const char* call, NvmlReturn result) -> Status {
    if (result == kSuccess) return {};
    return Failed(nvml, fmt::format("{} of GPU {}", call, gpu.index), result);
  };
  TRY(require("handle", nvml.Call("nvmlDeviceGetHandleByIndex_v2", gpu.index, &device)));
  TRY(require("UUID", nvml.Call("nvmlDeviceGetUUID", device, text.data(), kNameSize)));
  gpu.uuid = text.data();
  TRY(require("name", nvml.Call("nvmlDeviceGetName", device, text.data(), kNameSize)));
  gpu.name = text.data();
  TRY(require("memory", nvml.Call("nvmlDeviceGetMemoryInfo", device, &memory)));
  gpu.total_bytes = memory.total;
  gpu.free_bytes = memory.free;
  NvmlUtilization utilization{};
  if (nvml.Call("nvmlDeviceGetUtilizationRates", device, &utilization) == kSuccess) {
    gpu.utilization_percent = utilization.gpu;
  }
  (void)nvml.Call("nvmlDeviceGetCudaComputeCapability", device, &gpu.compute_major,
                  &gpu.compute_minor);
  unsigned mig_now = 0, mig_pending = 0;
  gpu.mig =
      nvml.Call("nvmlDeviceGetMigMode", device, &mig_now, &mig_pending) == kSuccess && mig_now != 0;
  gpu.processes = ProcessesOf(nvml, device);
  return {};
}

}  // namespace

Result<GpuReport> QueryGpus(const std::string& library) {
  GpuReport report;
  Library opened(::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!opened) {
    report.reason = fmt::format("no NVIDIA driver here ({} cannot be opened)", library);
    return report;
  }
  Nvml nvml(std::move(opened));
  if (const NvmlReturn result = nvml.Init(); result == kDriverNotLoaded) {
    report.reason = "the NVIDIA driver is installed but not loaded";
    return report;
  } else if (result != kSuccess) {
    return Failed(nvml, "nvmlInit", result);
  }
  report.driver = true;
  std::array<char, kNameSize> version{};
  if (nvml.Call("nvmlSystemGetDriverVersion", version.data(), kNameSize) == kSuccess) {
    report.driver_version = version.data();
  }
  unsigned count = 0;
  if (const NvmlReturn result = nvml.Call("nvmlDeviceGetCount_v2", &count); result != kSuccess) {
    return Failed(nvml, "nvmlDeviceGetCount", result);
  }
  for (unsigned index = 0; index < count; ++index) {
    Gpu gpu{.index = index};
    if (const Status described = Describe(nvml, gpu); !described)
      gpu.problem = described.error().message;
    report.gpus.push_back(std::move(gpu));
  }
  return report;
}

}  // namespace couplingd
