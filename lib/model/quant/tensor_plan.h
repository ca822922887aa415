// Which tensor of a checkpoint becomes which tensor of a pack, and in which type. Decided from headers alone.
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
  const SourceTensor* source = nullptr;  // of the checkpoint the plan was made for
  DType dtype = DType::f32;
  uint64_t bytes = 0;  // in the pack, scales included
  /// The source's groups are repacked as they are, without a detour over fp32.
  bool keeps_groups = false;
  /// Above 0: stored as two factors of this rank (model/nn/model_source.h), both of type `dtype`.
  int64_t rank = 0;
};

struct TensorPlan {
  std::vector<TensorJob> jobs;  // in the model's order
  /// What a user should know: 4-bit weights stored in more bits, types that were rounded up …
  std::vector<std::string> notes;
};

/// True if the checkpoint's weights (not its norms and biases) are quantised already.
bool is_quantized(const Checkpoint& checkpoint, const ModelPlan& model);

/// The type that a tensor of this role becomes under `precision`, which is not automatic.
DType type_of(TensorRole role, SourceType source, Precision precision);
/// `spec` of the checkpoint as `dtype`; nullopt for an optional tensor that is not there. Throws as plan_tensors().
std::optional<TensorJob> plan_tensor(const Checkpoint& checkpoint, const TensorSpec& spec, DType dtype);
/// True if storing the job's tensor in `precision` rounds what was rounded to more bits before.
bool requantizes_to_fewer_bits(const TensorJob& job, Precision precision);

/// What is stored before any choice: an automatic precision stands as keep where the source is quantised and as int8
/// where it is not, and its plan is where the selector sets out from. Throws Error(bad_input) naming a tensor that is
/// missing or has another shape than the configuration says, or that the recipe would quantise a second time to fewer
/// bits (unless `allow_requantize`), and Error(usage) for a rule that matches no tensor.
TensorPlan plan_tensors(const Checkpoint& checkpoint, const ModelPlan& model, const Recipe& recipe,
                        bool allow_requantize);

}  // namespace frugal
