// Processor features: which kernels can run here, and how many threads. Not memory or load: telemetry/ has those.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace frugal {

/// Instruction sets, weakest first within an architecture. neon is reserved and has no kernels yet: an ARM machine runs
/// the scalar ones.
enum class Isa { scalar, neon, avx2, avx512vnni, amx };

std::string_view to_string(Isa isa);

/// True if this machine (and its operating system) can run kernels for `isa`.
bool supports(Isa isa);
/// Every ISA that this machine can run; scalar is always first.
std::vector<Isa> supported_isas();
/// The strongest supported ISA, or the one that FRUGAL_ISA names. Throws Error(usage) if that is unknown or not
/// supported.
Isa choose_isa();

/// The processor's name as the system reports it ("AMD EPYC 7B13"), or "unknown".
std::string cpu_model();
/// Processors that this process may run on (its affinity mask).
int available_cpus();

/// For a thread that mostly waits for the disk: requests short time slices, so that the scheduler runs it as soon as it
/// wakes, while other threads compute (Linux 6.12; see sched_setattr(2)). No effect elsewhere.
void request_short_time_slices();

}  // namespace frugal
