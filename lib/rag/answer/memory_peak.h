// The peak memory of a question, from readings at the beginning and end of its stages.
#pragma once

#include "rag/reply/reply.h"
#include "telemetry/trace.h"

namespace frugal {

/// The maximum of all readings in `trace` and of one now. Working memory lies in arenas that keep their pages until a
/// stage ends, so the reading there is close to the peak; memory that is freed within a stage is missed. pss: also
/// reads the proportional set size now, from smaps_rollup.
MemoryPeak memory_peak(const Trace& trace, bool pss);

}  // namespace frugal
