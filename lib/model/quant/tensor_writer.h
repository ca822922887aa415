// Streams the tensors of a checkpoint into a pack: a block of rows at a time is read, converted and written, and its
// pages are let go, so that neither model is ever held.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/thread_pool.h"
#include "model/format/checkpoint.h"
#include "model/format/pack.h"
#include "model/quant/tensor_plan.h"

namespace frugal {

/// What rounding did to one tensor, against its source as fp32.
struct TensorError {
  double mean_abs = 0;
  double max_abs = 0;
  /// sqrt(Σ error² / Σ source²); 0 for an all-zero tensor.
  double relative_rms = 0;
};

/// Called with the bytes of source done so far, from any thread but one at a time. What it throws stops the work.
using ByteProgress = std::function<void(uint64_t done_bytes)>;

struct WriteOptions {
  int threads = 1;
  uint64_t work_bytes = 0;  // for all buffers of all threads together
  bool measure_error = false;
  ByteProgress progress;
};

/// Bytes of buffers that one thread needs at least; the largest over the plan's tensors.
uint64_t min_work_bytes(const TensorPlan& plan, bool measure_error);

/// Writes every tensor of `plan` to `writer`, whose plan has the same tensors in the same order. The bytes do not
/// depend on the options. Returns one error a tensor if measure_error, else none. Throws Error(over_budget) if
/// work_bytes does not hold the buffers of one thread, Error(bad_input) for weights that are not finite or out of
/// fp16's range where that is needed.
std::vector<TensorError> write_tensors(const Checkpoint& checkpoint, const TensorPlan& plan, PackWriter& writer,
                                       const WriteOptions& options);

}  // namespace frugal
