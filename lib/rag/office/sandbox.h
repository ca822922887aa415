// Takes from this process whatever the reading of a file does not need. Where the kernel knows no filters (seccomp),
// the limits still hold.
#pragma once

#include <cstdint>

namespace frugal {

/// From now on: no file is written or changed, no program is started, no socket is opened. For the whole process and
/// for good.
void enter_sandbox();

/// Memory beyond what is mapped now, and CPU time beyond what was used: for the next file. Over the first limit an
/// allocation fails; the second ends the process with SIGXCPU.
void limit_resources(uint64_t memory_bytes, uint64_t cpu_seconds);

}  // namespace frugal
