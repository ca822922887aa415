// Plans which tensor of a checkpoint becomes which tensor of a pack, and in which type. Reads headers only, no weights.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/format/checkpoint.h"
#include "model/nn/architecture.h"
#include "model/quant/recipe.h"

namespace frugal {

struct TensorJob {
  TensorSpec spec;
  const SourceTensor* source = nullptr;  // borrowed from the checkpoint
  DType dtype = DType::f32;
  uint64_t bytes = 0;  // in the pack, scales included
  /// The source's groups are repacked with the same codes; weights are not converted to fp32 and rounded again.
  bool keeps_groups = false;
  /// Above 0: stored as two factors of this rank (model/nn/model_source.h), both of type `dtype`. 0: stored whole.
  int64_t rank = 0;
};

struct TensorPlan {
  std::vector<TensorJob> jobs;  // in the model's order
  /// Notes for the user on quantised sources: stored without loss, rounded again, or widened.
  std::vector<std::string> notes;
};

/// A tensor of a checkpoint as rows and columns. A vector is one row, unless its elements are permuted like the rows of
/// a matrix (TensorSpec::unpermute_heads).
struct SourceMatrix {
  int64_t rows, cols;
};
SourceMatrix source_matrix(const TensorSpec& spec);

/// True if any weight of the checkpoint is quantised; norms and biases do not count.
bool is_quantized(const Checkpoint& checkpoint, const ModelPlan& model);

/// The type in the pack of a tensor of this role. `precision` must not be automatic; `named`: a rule chose
/// it for this tensor.
DType type_of(TensorRole role, SourceType source, Precision precision, bool named = false);
/// Plans one tensor as `dtype`; nullopt if it is optional and the checkpoint has none. Throws Error(bad_input) as
/// plan_tensors() does.
std::optional<TensorJob> plan_tensor(const Checkpoint& checkpoint, const TensorSpec& spec, DType dtype);
/// True if storing the job's tensor in `precision` rounds a quantised source to fewer bits than it has.
bool requantizes_to_fewer_bits(const TensorJob& job, Precision precision);

/// Plans every tensor of the model. If the precision is automatic, the plan is provisional until the selector has
/// chosen: keep if the source is quantised, else int8. Throws Error(bad_input) naming a tensor that is missing, has
/// another shape than the configuration says, or would be quantised again to fewer bits (unless `allow_requantize`);
/// Error(usage) for a rule that matches no weight.
TensorPlan plan_tensors(const Checkpoint& checkpoint, const ModelPlan& model, const Recipe& recipe,
                        bool allow_requantize);

}  // namespace frugal
