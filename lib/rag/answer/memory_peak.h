// The most memory a question held, from the readings at the ends of its stages.
#pragma once

#include "rag/answer/query.h"
#include "telemetry/trace.h"

namespace frugal {

/// Working memory grows in arenas that are kept to the end of a stage, so readings at its end see its peak but for what
/// is freed inside it. With `pss`, also the proportional share now, from smaps_rollup.
MemoryPeak memory_peak(const Trace& trace, bool pss);

}  // namespace frugal
