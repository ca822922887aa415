// Streams the tensors of a checkpoint into a pack. A block of rows at a time is read, converted and written, and its
// source pages are released, so that neither model is ever in memory as a whole.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/thread_pool.h"
#include "model/format/checkpoint.h"
#include "model/format/pack.h"
#include "model/quant/tensor_plan.h"

namespace frugal {

/// Called with the source bytes that are done so far; from any thread, one call at a time. An exception stops the work.
using ByteProgress = std::function<void(uint64_t done_bytes)>;

struct WriteOptions {
  int threads = 1;
  uint64_t work_bytes = 0;  // limit on the buffers of all threads together
  ByteProgress progress;
};

/// The minimum of WriteOptions::work_bytes: the buffers of one thread for the largest block of the plan's tensors.
uint64_t min_work_bytes(const TensorPlan& plan);

/// Writes every tensor of `plan` to `writer`, which must have been made for the same tensors in the same order. The
/// written bytes do not depend on the options. Throws Error(over_budget) if work_bytes is below min_work_bytes(),
/// Error(bad_input) for weights that are not finite or, if the type needs it, outside the range of fp16, and Error(io).
void write_tensors(const Checkpoint& checkpoint, const TensorPlan& plan, PackWriter& writer,
                   const WriteOptions& options);

}  // namespace frugal
