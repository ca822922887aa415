// Pieces that architectures share: weights looked up by name in a pack, and made ready for a backend.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "format/pack.h"
#include "ops/ops.h"

namespace frugal {

/// "gelu", "gelu_new", "silu" … as Hugging Face names them. Throws Error(bad_input).
Activation parse_activation(std::string_view name);

/// Reads the tensors of one pack for one backend. Every shape is checked against the file's.
class WeightLoader {
 public:
  WeightLoader(const Pack& pack, Ops& ops) : pack_(pack), ops_(ops) {}

  /// `name`.weight, and `name`.bias where the pack has one.
  LinearSpec linear(const std::string& name, int64_t outputs, int64_t inputs, ActivationScales scales,
                    Activation activation = Activation::none) const;
  /// `name`.weight, and `name`.bias where the pack has one.
  NormSpec norm(const std::string& name, NormKind kind, int64_t features, float epsilon) const;

 private:
  const Pack& pack_;
  Ops& ops_;
};

/// A table that is looked up by row: f32, f16 or i8.
struct EmbeddingTable {
  View rows;
  std::span<const float> scales;  // [rows], for i8
};
EmbeddingTable load_embedding(const Pack& pack, std::string_view name, int64_t rows, int64_t features);

}  // namespace frugal
