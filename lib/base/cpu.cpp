#include "base/cpu.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <fmt/format.h>
#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "base/error.h"

namespace frugal {
namespace {

constexpr Isa kAllIsas[] = {Isa::scalar, Isa::neon, Isa::avx2, Isa::avx512vnni, Isa::amx};

#if defined(__x86_64__)
// Clang 14 has no __builtin_cpu_supports("f16c"). AVX2 implies that the system saves the vector registers.
bool has_f16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C);
}

// Linux saves the tile registers of processes that have asked for them (Documentation/arch/x86/xstate.rst). The
// processor's word is not enough: a hypervisor or a kernel before 5.16 refuses.
bool may_use_amx() {
  constexpr unsigned kTile = 1u << 24, kInt8 = 1u << 25;
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || (edx & (kTile | kInt8)) != (kTile | kInt8)) return false;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

}  // namespace

std::string_view to_string(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return "scalar";
    case Isa::neon:
      return "neon";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512vnni:
      return "avx512vnni";
    case Isa::amx:
      return "amx";
  }
  return "scalar";
}

bool supports(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return true;
#if defined(__x86_64__)
    case Isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    case Isa::avx512vnni:
      return supports(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vnni");
    case Isa::amx: {
      static const bool granted = may_use_amx();
      return supports(Isa::avx512vnni) && granted;
    }
#endif
    default:
      return false;
  }
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  std::copy_if(std::begin(kAllIsas), std::end(kAllIsas), std::back_inserter(isas), supports);
  return isas;
}

Isa choose_isa() {
  const char* forced = std::getenv("FRUGAL_ISA");
  if (!forced || !*forced) return supported_isas().back();
  for (const Isa isa : kAllIsas) {
    if (to_string(isa) != forced) continue;
    if (!supports(isa)) throw Error(Code::usage, fmt::format("FRUGAL_ISA={}: this processor cannot run it", forced));
    return isa;
  }
  throw Error(Code::usage, fmt::format("FRUGAL_ISA={}: unknown instruction set", forced))
      .hint("use scalar, avx2, avx512vnni, amx or neon");
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

int available_cpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

void request_short_time_slices() {
  // The first version of the kernel's struct: glibc added its own late.
  struct Attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
  } attributes{};
  attributes.size = sizeof attributes;
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.runtime_ns = 100'000;  // the minimum
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace frugal
