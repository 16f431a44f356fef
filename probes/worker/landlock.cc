#include "probes/worker/landlock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/files.h"

namespace couplingd {
namespace {

// From the kernel's stable interface (linux/landlock.h).
enum Access : std::uint64_t {
  kExecute = 1ull << 0,
  kWriteFile = 1ull << 1,
  kReadFile = 1ull << 2,
  kReadDir = 1ull << 3,
  kRemoveDir = 1ull << 4,
  kRemoveFile = 1ull << 5,
  kMakeReg = 1ull << 8,
  kMakeDir = 1ull << 7,
  kTruncate = 1ull << 14,
  kIoctlDev = 1ull << 15,
};
constexpr std::uint64_t kAllOfAbi1 = (1ull << 13) - 1;
constexpr std::uint64_t kRefer = 1ull << 13;
constexpr std::uint64_t kTcp = 0b11;     // bind and connect
constexpr std::uint64_t kScopes = 0b11;  // abstract Unix sockets and signals
constexpr std::uint64_t kFileOnly = kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDev;

constexpr std::uint64_t kReadable = kReadFile | kReadDir;
constexpr std::uint64_t kWritable =
    kReadable | kWriteFile | kTruncate | kMakeReg | kMakeDir | kRemoveFile | kRemoveDir;
constexpr std::uint64_t kDevice = kReadable | kWriteFile | kIoctlDev;
constexpr std::uint64_t kAnnotated = kReadable | kWriteFile | kTruncate;

struct RulesetAttributes {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;
  std::uint64_t scoped = 0;
};

struct PathBeneath {
  std::uint64_t allowed_access;
  std::int32_t parent_fd;
} __attribute__((packed));
constexpr int kRulePathBeneath = 1;
constexpr unsigned kCreateVersion = 1;

RulesetAttributes AttributesFor(int abi) {
  RulesetAttributes attributes;
  attributes.handled_access_fs = kAllOfAbi1;
  if (abi >= 2) attributes.handled_access_fs |= kRefer;
  if (abi >= 3) attributes.handled_access_fs |= kTruncate;
  if (abi >= 5) attributes.handled_access_fs |= kIoctlDev;
  if (abi >= 4) attributes.handled_access_net = kTcp;
  if (abi >= 6) attributes.scoped = kScopes;
  return attributes;
}

std::size_t AttributesSize(int abi) {
  return abi >= 6 ? sizeof(RulesetAttributes) : abi >= 4 ? 16 : 8;
}

class Ruleset {
 public:
  Ruleset(int fd, std::uint64_t handled) : fd_(fd), handled_(handled) {}

  // `keep_open` pins the entry of a file system such as /proc, which would else make it anew and
  // lose the rule.
  void Allow(const std::string& path, std::uint64_t access, bool keep_open = false) {
    FileDescriptor target(::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat status {};
    if (!target.valid() || ::fstat(target.get(), &status) != 0) return;
    access &= handled_;
    if (!S_ISDIR(status.st_mode)) access &= kFileOnly;
    const PathBeneath rule{access, target.get()};
    const long added = ::syscall(SYS_landlock_add_rule, fd_.get(), kRulePathBeneath, &rule, 0);
    if (added != 0 && refused_.empty())
      refused_ = fmt::format("{}: {}", path, std::strerror(errno));
    if (keep_open) (void)target.Release();
  }

  bool Restrict() const { return ::syscall(SYS_landlock_restrict_self, fd_.get(), 0) == 0; }
  const std::string& refused() const { return refused_; }

 private:
  FileDescriptor fd_;
  std::uint64_t handled_;
  std::string refused_;
};

}  // namespace

int LandlockAbi() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kCreateVersion);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

Measure ApplyLandlock(const LandlockPlan& plan) {
  const auto missing = [](std::string why) { return Measure{"landlock", false, std::move(why)}; };
  const int abi = LandlockAbi();
  if (abi == 0) {
    return missing(errno == EOPNOTSUPP ? "the kernel has it switched off"
                                       : "the kernel has none (5.13 or newer is needed)");
  }
  const RulesetAttributes attributes = AttributesFor(abi);
  const long fd = ::syscall(SYS_landlock_create_ruleset, &attributes, AttributesSize(abi), 0);
  if (fd < 0) return missing(fmt::format("no ruleset: {}", std::strerror(errno)));
  Ruleset ruleset(static_cast<int>(fd), attributes.handled_access_fs);
  for (const std::string& path : plan.readable) ruleset.Allow(path, kReadable);
  for (const std::string& path : plan.writable) ruleset.Allow(path, kWritable);
  for (const std::string& path : plan.devices) ruleset.Allow(path, kDevice);
  for (const std::string& path : plan.annotated)
    ruleset.Allow(path, kAnnotated, /*keep_open=*/true);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !ruleset.Restrict()) {
    return missing(fmt::format("not enforced: {}", std::strerror(errno)));
  }
  std::string detail = fmt::format("ABI {}: files outside the request are closed", abi);
  if (!ruleset.refused().empty()) detail += fmt::format(" (no rule for {})", ruleset.refused());
  return {"landlock", true, detail};
}

}  // namespace couplingd
