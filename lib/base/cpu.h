// What the processor can do, asked once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace frugal {

/// Instruction sets that have kernels, weakest first within an architecture. neon has its name and none yet: an ARM
/// machine runs the scalar ones.
enum class Isa { scalar, neon, avx2, avx512vnni };

std::string_view to_string(Isa isa);

/// True if this machine (and its operating system) can run kernels for `isa`.
bool supports(Isa isa);
/// Every ISA that this machine can run; scalar is always first.
std::vector<Isa> supported_isas();
/// The strongest supported one, or the one FRUGAL_ISA= names. Throws Error(usage) if that is unknown or not supported.
Isa choose_isa();

/// "AMD EPYC 7B13" or as the system names it; "unknown" where it does not.
std::string cpu_model();
/// Processors that this process may run on (its affinity mask).
int available_cpus();

/// For a thread that mostly waits for the disk: asks the scheduler for short turns, which it then gets at once, while
/// others compute, and not when their turn is over (Linux 6.12; see sched_setattr(2)). Nothing elsewhere.
void take_short_turns();

}  // namespace frugal
