// Rounding errors of the tensors of a pack against their source, for reports and for the selector. Reads the finished
// pack, so the errors are those of the stored bytes, however and whenever the pack was made.
#pragma once

#include <vector>

#include "model/format/checkpoint.h"
#include "model/format/pack.h"
#include "model/quant/tensor_plan.h"
#include "model/quant/tensor_writer.h"

namespace frugal {

/// The rounding error of one stored tensor, compared with its source as fp32.
struct TensorError {
  double mean_abs = 0;
  double max_abs = 0;
  /// sqrt(Σ error² / Σ source²); 0 for an all-zero tensor.
  double relative_rms = 0;
};

/// One error for each job of `plan`, the tensors of `pack`. A tensor that is stored as two factors is compared by their
/// product. The result does not depend on `threads`. Holds a few rows in memory; the pages of both files are released.
/// `progress` may be empty. Throws Error(corrupt_file) if the pack lacks a tensor of the plan.
std::vector<TensorError> measure_errors(const Checkpoint& checkpoint, const TensorPlan& plan, const Pack& pack,
                                        int threads, const ByteProgress& progress);

}  // namespace frugal
