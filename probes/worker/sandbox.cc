#include "probes/worker/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/files.h"
#include "base/process.h"
#include "probes/worker/landlock.h"
#include "probes/worker/syscall_filter.h"

namespace couplingd {
namespace {

constexpr int kNice = 10;
constexpr int kOomScore = 500;
constexpr int kIdleIoPriority = 3 << 13;  // IOPRIO_CLASS_IDLE
constexpr rlim_t kMaxFileBytes = 64ull << 30;
constexpr rlim_t kMaxOpenFiles = 65536;
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCanLimitMemory = false;  // the sanitizer's shadow counts as data
#else
constexpr bool kCanLimitMemory = true;
#endif

std::string Reason() { return std::strerror(errno); }

bool WriteProcFile(const char* path, std::string_view text) {
  const FileDescriptor fd(::open(path, O_WRONLY | O_CLOEXEC));
  return fd.valid() &&
         ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

Measure LowerPriority() {
  const int nice = std::max(kNice, ::getpriority(PRIO_PROCESS, 0));
  const bool cpu = ::setpriority(PRIO_PROCESS, 0, nice) == 0;
  const bool disk = ::syscall(SYS_ioprio_set, /*IOPRIO_WHO_PROCESS*/ 1, 0, kIdleIoPriority) == 0;
  const int score =
      std::max(kOomScore, std::atoi(ReadFile("/proc/self/oom_score_adj").value_or("0").c_str()));
  const bool memory = WriteProcFile("/proc/self/oom_score_adj", fmt::format("{}", score));
  return {"priority", cpu && disk && memory,
          fmt::format("CPU {}, disk {}, out-of-memory {}", cpu ? "low" : "unchanged",
                      disk ? "idle" : "unchanged", memory ? "first to go" : "unchanged")};
}

bool Limit(int resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return false;
  limit.rlim_cur = limit.rlim_max = std::min(value, limit.rlim_max);
  return ::setrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0;
}

Measure LimitResources(const SandboxPlan& plan) {
  const bool limited = Limit(RLIMIT_CORE, 0) && Limit(RLIMIT_NOFILE, kMaxOpenFiles) &&
                       Limit(RLIMIT_FSIZE, kMaxFileBytes) &&
                       (!plan.memory_limit_bytes || !kCanLimitMemory ||
                        Limit(RLIMIT_DATA, *plan.memory_limit_bytes));
  return {"limits", limited,
          limited ? fmt::format("no core dump, {} open files, {} GiB per file, memory {}",
                                kMaxOpenFiles, kMaxFileBytes >> 30,
                                plan.memory_limit_bytes && kCanLimitMemory
                                    ? fmt::format("{} bytes", *plan.memory_limit_bytes)
                                    : std::string("not limited"))
                  : Reason()};
}

// The ids stay what they are; without a map every file would seem to be somebody else's.
bool MapOwnIds(uid_t uid, gid_t gid) {
  return WriteProcFile("/proc/self/setgroups", "deny") &&
         WriteProcFile("/proc/self/uid_map", fmt::format("{} {} 1", uid, uid)) &&
         WriteProcFile("/proc/self/gid_map", fmt::format("{} {} 1", gid, gid));
}

Measure LeaveNetwork() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWNET) == 0) return {"network", true, "own network namespace"};
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) {
    const bool mapped = MapOwnIds(uid, gid);
    return {"network", true,
            mapped ? "own user and network namespace"
                   : "own user and network namespace, ids not mapped"};
  }
  return {"network", false, fmt::format("no network namespace: {}", Reason())};
}

// What the namespace could not do, Landlock (TCP) or the filter (every internet socket) does.
void CoverNetwork(Measure& network, const Measure& landlock, const Measure& filter) {
  if (network.applied) return;
  if (filter.applied) {
    network = {"network", true, "internet sockets refused by seccomp; " + network.detail};
  } else if (landlock.applied && LandlockAbi() >= 4) {
    network = {"network", true, "TCP refused by Landlock; " + network.detail};
  }
}

// Keeps what lets root read and write files as before; Landlock says which.
Measure DropCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return {"capabilities", false, Reason()};
  constexpr std::uint32_t kKept = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;
  const bool had_any = (data[0].permitted & ~kKept) != 0 || data[1].permitted != 0;
  data[0].permitted &= kKept;
  data[0].effective &= kKept;
  data[1].permitted = data[1].effective = 0;
  data[0].inheritable = data[1].inheritable = 0;
  if (::syscall(SYS_capset, &header, data) != 0) return {"capabilities", false, Reason()};
  return {"capabilities", true, had_any ? "dropped, but for file access" : "none to drop"};
}

std::vector<std::string> GpuDevices() {
  std::vector<std::string> paths;
  for (const std::string& name : ListDirectory("/dev").value_or(std::vector<std::string>())) {
    if (name.starts_with("nvidia")) paths.push_back("/dev/" + name);
  }
  return paths;
}

LandlockPlan PlanFor(const SandboxPlan& plan) {
  LandlockPlan landlock;
  landlock.readable = {"/usr",
                       "/lib",
                       "/lib64",
                       "/proc",
                       "/sys",
                       "/etc/ld.so.cache",
                       "/etc/ld.so.conf",
                       "/etc/ld.so.conf.d",
                       "/etc/localtime",
                       "/etc/nsswitch.conf",
                       "/etc/nvidia",
                       "/nix/store",
                       "/run/opengl-driver"};
  for (const auto* more : {&plan.libraries, &plan.readable}) {
    landlock.readable.insert(landlock.readable.end(), more->begin(), more->end());
  }
  landlock.writable = plan.writable;
  landlock.devices = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
  landlock.annotated = {"/proc/self/task"};  // thread names
  if (plan.gpu) {
    landlock.writable.push_back("/dev/shm");
    for (std::string& path : GpuDevices()) landlock.devices.push_back(std::move(path));
  }
  return landlock;
}

Measure DieWithParent() {
  const bool set = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
  return {"parent", set, set ? "ends with its parent" : Reason()};
}

}  // namespace

std::vector<std::string> LibraryDirectories() {
  std::vector<std::string> directories = {COUPLINGD_LIBRARY_ROOT};
  if (const auto own = ExecutableDirectory()) {
    directories.push_back(*own);
    directories.push_back(JoinPath(DirectoryName(*own), "lib"));
  }
  const char* search = std::getenv("LD_LIBRARY_PATH");
  for (std::string_view rest = search ? search : ""; !rest.empty();) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    if (rest.starts_with('/')) directories.emplace_back(rest.substr(0, colon));
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return directories;
}

std::vector<Measure> EnterSandbox(const SandboxPlan& plan) {
  std::vector<Measure> measures;
  measures.push_back(LowerPriority());
  measures.push_back(LimitResources(plan));
  Measure network = LeaveNetwork();
  measures.push_back(DropCapabilities());
  const LandlockPlan landlock_plan = PlanFor(plan);
  const Measure landlock = ApplyLandlock(landlock_plan);
  const Measure filter = ApplySyscallFilter();
  CoverNetwork(network, landlock, filter);
  measures.insert(measures.end(), {std::move(network), landlock, filter, DieWithParent()});
  return measures;
}

}  // namespace couplingd
