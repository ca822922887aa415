// Pieces that architectures share: weights looked up by name in a model's source, and made ready for a backend.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "nn/model_source.h"
#include "ops/ops.h"

namespace frugal {

/// "gelu", "gelu_new", "silu" … as Hugging Face names them. Throws Error(bad_input).
Activation parse_activation(std::string_view name);

/// Reads the tensors of one source for one backend.
class WeightLoader {
 public:
  WeightLoader(const ModelSource& source, Ops& ops) : source_(source), ops_(ops) {}

  /// `name`.weight, and `name`.bias where the source has one.
  LinearSpec linear(const std::string& name, int64_t outputs, int64_t inputs, ActivationScales scales,
                    Activation activation = Activation::none) const;
  /// `name`.weight, and `name`.bias where the source has one.
  NormSpec norm(const std::string& name, NormKind kind, int64_t features, float epsilon) const;

 private:
  const ModelSource& source_;
  Ops& ops_;
};

}  // namespace frugal
