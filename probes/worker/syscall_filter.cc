#include "probes/worker/syscall_filter.h"

#include <fmt/format.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

namespace couplingd {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kArchitecture = 0;
#endif

constexpr long kRefused[] = {
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
#endif
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_writev,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_setns,
    SYS_unshare,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_io_uring_setup,
    SYS_open_by_handle_at,
    SYS_personality,
    SYS_acct,
    SYS_quotactl,
};

constexpr std::uint32_t kRefuse = SECCOMP_RET_ERRNO | EPERM;
constexpr std::uint32_t kAbsent = SECCOMP_RET_ERRNO | ENOSYS;

class Program {
 public:
  void Load(std::size_t offset) {
    lines_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  }
  void Return(std::uint32_t action) { lines_.push_back(BPF_STMT(BPF_RET | BPF_K, action)); }
  // Runs the next `count` lines only where the loaded word equals `value`.
  void IfEqual(std::uint32_t value, std::uint8_t count) { Jump(BPF_JEQ, value, 0, count); }
  void IfNotEqual(std::uint32_t value, std::uint8_t count) { Jump(BPF_JEQ, value, count, 0); }
  void IfNoBits(std::uint32_t bits, std::uint8_t count) { Jump(BPF_JSET, bits, count, 0); }
  void IfAtLeast(std::uint32_t value, std::uint8_t count) { Jump(BPF_JGE, value, 0, count); }

  bool Install() {
    const sock_fprog program{static_cast<unsigned short>(lines_.size()), lines_.data()};
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
  }

 private:
  void Jump(std::uint16_t test, std::uint32_t value, std::uint8_t if_true, std::uint8_t if_false) {
    lines_.push_back(
        BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), value, if_true, if_false));
  }
  std::vector<sock_filter> lines_;
};

constexpr std::size_t kNumber = offsetof(seccomp_data, nr);
constexpr std::size_t kArgument0 = offsetof(seccomp_data, args);  // low word, little-endian

Program MakeProgram() {
  Program program;
  program.Load(offsetof(seccomp_data, arch));
  program.IfNotEqual(kArchitecture, 1);
  program.Return(kRefuse);
  program.Load(kNumber);
#if defined(__x86_64__)
  program.IfAtLeast(0x40000000, 1);  // the x32 numbers
  program.Return(kRefuse);
#endif
  for (const long number : kRefused) {
    program.IfEqual(static_cast<std::uint32_t>(number), 1);
    program.Return(kRefuse);
  }
  // Its flags lie in memory, where no filter sees them; libc then falls back to clone.
  program.IfEqual(SYS_clone3, 1);
  program.Return(kAbsent);
  program.IfEqual(SYS_clone, 4);
  program.Load(kArgument0);
  program.IfNoBits(CLONE_THREAD, 1);
  program.Return(kRefuse);
  program.Return(SECCOMP_RET_ALLOW);
  program.IfEqual(SYS_socket, 5);
  program.Load(kArgument0);
  program.IfEqual(AF_UNIX, 1);
  program.Return(SECCOMP_RET_ALLOW);
  program.IfNotEqual(AF_NETLINK, 1);
  program.Return(kRefuse);
  program.Return(SECCOMP_RET_ALLOW);
  return program;
}

}  // namespace

Measure ApplySyscallFilter() {
  if (kArchitecture == 0) return {"seccomp", false, "no filter for this processor"};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && MakeProgram().Install()) {
    return {"seccomp", true, "no new processes, programs or internet sockets"};
  }
  return {"seccomp", false, fmt::format("the kernel refused the filter: {}", std::strerror(errno))};
}

}  // namespace couplingd
