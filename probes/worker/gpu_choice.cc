#include "probes/worker/gpu_choice.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/numbers.h"

namespace couplingd {
namespace {

constexpr unsigned kIdlePercent = 10;

std::string Describe(const Gpu& gpu) {
  return fmt::format("GPU {} ({}, {})", gpu.index, gpu.name, gpu.uuid);
}

bool IsNamed(const Gpu& gpu, std::string_view name) {
  if (const auto index = ParseNumber<unsigned>(name)) return *index == gpu.index;
  return name.size() >= 8 && gpu.uuid.starts_with(name);
}

bool IsAllowed(const Gpu& gpu, const std::optional<std::string>& allowed) {
  if (!allowed) return true;
  for (std::string_view rest = *allowed; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    if (IsNamed(gpu, rest.substr(0, comma))) return true;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return false;
}

bool IsUsable(const Gpu& gpu) { return gpu.problem.empty() && !gpu.mig; }
bool IsIdle(const Gpu& gpu) {
  return gpu.processes.empty() && gpu.utilization_percent.value_or(0) < kIdlePercent;
}

enum class Lock { kTaken, kHeldElsewhere, kNotPossible };

// Another user's lock file may only be opened for reading, which is enough.
Lock TakeLock(const Gpu& gpu, const GpuChoiceOptions& options, FileDescriptor& lock) {
  std::string directory = options.lock_directory;
  if (directory.empty()) directory = ::access("/run/lock", W_OK) == 0 ? "/run/lock" : "/tmp";
  const std::string path = JoinPath(directory, fmt::format("couplingd-{}.lock", gpu.uuid));
  constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  lock = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CREAT | kFlags, 0644));
  if (!lock.valid()) lock = FileDescriptor(::open(path.c_str(), O_RDONLY | kFlags));
  if (!lock.valid()) return Lock::kNotPossible;
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return Lock::kTaken;
  lock.Close();
  return Lock::kHeldElsewhere;
}

GpuChoice OnCpu(std::string note) { return {"cpu", "", 0, std::move(note), {}}; }

GpuChoice OnGpu(const Gpu& gpu, std::string device, Lock locked, FileDescriptor lock) {
  std::string note = "evaluating on " + Describe(gpu);
  if (!IsIdle(gpu)) note += fmt::format("; {} other processes compute there", gpu.processes.size());
  if (locked == Lock::kNotPossible) note += "; no lock file could be made";
  return {std::move(device), gpu.uuid, gpu.free_bytes, std::move(note), std::move(lock)};
}

Result<GpuChoice> ChooseIdle(bool or_cpu, const std::vector<Gpu>& gpus, const std::string& reason,
                             const GpuChoiceOptions& options) {
  std::vector<const Gpu*> usable;
  for (const Gpu& gpu : gpus) {
    if (IsUsable(gpu) && IsAllowed(gpu, options.allowed)) usable.push_back(&gpu);
  }
  if (usable.empty()) {
    const std::string why = !reason.empty() ? reason
                            : gpus.empty()  ? "no GPU here"
                                            : "no GPU here can be used as a whole";
    if (or_cpu) return OnCpu(fmt::format("evaluating on the CPU: {}", why));
    return Fail(ErrorKind::kUnavailable, fmt::format("device cuda: {}", why),
                "use device auto or cpu");
  }
  std::ranges::stable_sort(usable, std::greater{}, &Gpu::free_bytes);
  for (const Gpu* gpu : usable) {
    if (!IsIdle(*gpu)) continue;
    FileDescriptor lock;
    const Lock locked = TakeLock(*gpu, options, lock);
    if (locked == Lock::kHeldElsewhere) continue;
    return OnGpu(*gpu, or_cpu ? "auto" : "cuda:0", locked, std::move(lock));
  }
  return Fail(ErrorKind::kConflict, fmt::format("all {} usable GPUs are busy", usable.size()),
              "it is tried again; name one with device cuda:INDEX to share it, or use device cpu",
              true);
}

Result<GpuChoice> ChooseNamed(std::string_view name, const std::vector<Gpu>& gpus,
                              const std::string& reason, const GpuChoiceOptions& options) {
  const auto found = std::ranges::find_if(gpus, [&](const Gpu& gpu) { return IsNamed(gpu, name); });
  if (found == gpus.end()) {
    return Fail(
        ErrorKind::kUnavailable,
        fmt::format("device cuda:{}: {}", name,
                    reason.empty() ? fmt::format("none of the {} GPUs here", gpus.size()) : reason),
        "couplingd-probe devices lists what is there");
  }
  if (!found->problem.empty()) {
    return Fail(ErrorKind::kUnavailable, fmt::format("device cuda:{}: {}", name, found->problem),
                "", true);
  }
  if (found->mig) {
    return Fail(
        ErrorKind::kUnsupported,
        fmt::format("{} is split into MIG instances, which are not used", Describe(*found)));
  }
  FileDescriptor lock;
  const Lock locked = TakeLock(*found, options, lock);
  if (locked == Lock::kHeldElsewhere) {
    return Fail(ErrorKind::kConflict,
                fmt::format("another evaluation runs on {}", Describe(*found)),
                "it is tried again when that one has ended", true);
  }
  return OnGpu(*found, "cuda:0", locked, std::move(lock));
}

}  // namespace

Result<GpuChoice> ChooseGpu(const std::string& device, const Result<GpuReport>& report,
                            const GpuChoiceOptions& options) {
  if (device == "cpu") return OnCpu("evaluating on the CPU, as asked");
  const std::vector<Gpu> gpus = report ? report->gpus : std::vector<Gpu>();
  const std::string reason = report ? report->reason : report.error().message;
  if (device == "auto" || device == "cuda")
    return ChooseIdle(device == "auto", gpus, reason, options);
  if (device.starts_with("cuda:"))
    return ChooseNamed(std::string_view(device).substr(5), gpus, reason, options);
  return Fail(ErrorKind::kUsage, fmt::format("\"{}\" is not a device", device),
              "use auto, cpu, cuda, cuda:INDEX or cuda:UUID");
}

}  // namespace couplingd
