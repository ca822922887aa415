#include "rag/office/sandbox.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <vector>

namespace frugal {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLimitsAddresses = false;  // sanitizers reserve terabytes of addresses
#else
constexpr bool kLimitsAddresses = true;
#endif

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kArchitecture = 0;  // no filter
#endif

// Programs, processes, sockets, and everything that changes a file system.
constexpr uint32_t kRefused[] = {
    SYS_execve,
    SYS_execveat,
    SYS_clone,
    SYS_socket,
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_sendto,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_ptrace,
    SYS_kill,
    SYS_tkill,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_mkdirat,
    SYS_linkat,
    SYS_symlinkat,
    SYS_mknodat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_truncate,
    SYS_ftruncate,
    SYS_utimensat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_mount,
    SYS_umount2,
    SYS_bpf,
    SYS_memfd_create,
    SYS_keyctl,
    SYS_renameat,
    SYS_fallocate,
    SYS_io_setup,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_perf_event_open,
    SYS_removexattr,
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
    SYS_unlink,
    SYS_rename,
    SYS_mkdir,
    SYS_rmdir,
    SYS_link,
    SYS_symlink,
    SYS_mknod,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_creat,
    SYS_utime,
    SYS_utimes,
#endif
};
// Calls whose arguments a filter cannot read: as if the kernel did not have them, so that the C library uses others.
constexpr uint32_t kUnknown[] = {SYS_openat2, SYS_clone3, SYS_io_uring_setup};

constexpr uint32_t kWriteFlags = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND;

class Filter {
 public:
  std::vector<sock_filter> program() {
    load(offsetof(seccomp_data, arch));
    add(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
    refuse(EPERM);
    load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
    add(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);  // the calls of x32
    refuse(EPERM);
    open_to_read(SYS_open, 1);
#endif
    open_to_read(SYS_openat, 2);
    for (const uint32_t call : kRefused) refuse_call(call, EPERM);
    for (const uint32_t call : kUnknown) refuse_call(call, ENOSYS);
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    return filter_;
  }

 private:
  void add(uint32_t code, uint32_t k, uint8_t if_true, uint8_t if_false) {
    filter_.push_back({static_cast<uint16_t>(code), if_true, if_false, k});
  }
  void load(size_t offset) {
    add(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset), 0, 0);
  }
  void refuse(int error) {
    add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(error), 0, 0);
  }
  void refuse_call(uint32_t call, int error) {
    add(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1);
    refuse(error);
  }
  void open_to_read(uint32_t call, size_t flags_argument) {
    add(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
    load(offsetof(seccomp_data, args) + 8 * flags_argument);
    add(BPF_JMP | BPF_JSET | BPF_K, kWriteFlags, 0, 1);
    refuse(EACCES);
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
  }
  std::vector<sock_filter> filter_;
};

void limit(__rlimit_resource what, uint64_t value) {
  rlimit old{};
  ::getrlimit(what, &old);
  const rlimit limits{std::min<rlim_t>(value, old.rlim_max), old.rlim_max};
  ::setrlimit(what, &limits);
}

uint64_t mapped_bytes() {
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

void enter_sandbox() {
  constexpr rlim_t kOpenFiles = 64;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_DUMPABLE, 0);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_NOFILE, kOpenFiles);
  if (kArchitecture == 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return;
  std::vector<sock_filter> filter = Filter().program();
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

void limit_resources(uint64_t memory_bytes, uint64_t cpu_seconds) {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto used_seconds = static_cast<uint64_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
  limit(RLIMIT_CPU, used_seconds + 1 + cpu_seconds);
  static const uint64_t libraries = mapped_bytes();
  if (kLimitsAddresses) limit(RLIMIT_AS, libraries + memory_bytes);
}

}  // namespace frugal
