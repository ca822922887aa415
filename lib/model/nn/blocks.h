// Pieces that architectures share: weights looked up by name in a model's source, and made ready for a backend.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compute/ops/ops.h"
#include "model/nn/model_source.h"

namespace frugal {

/// "gelu", "gelu_new", "silu" … as Hugging Face names them. Throws Error(bad_input).
Activation parse_activation(std::string_view name);

/// Config key of a pack whose linear layers want another grain of activation scales than the architecture's own:
/// "grouped" (quantize-model --dtype auto; docs/design/0018).
inline constexpr std::string_view kActivationScalesKey = "quant.activation_scales";

/// A linear layer: one weight, or two in sequence, y = U (V x) + b, where the source stores its factors.
class Linear {
 public:
  Linear() = default;
  explicit Linear(LinearSpec whole) : last_(whole) {}
  Linear(LinearSpec v, LinearSpec u) : v_(v), last_(u) {}

  bool factored() const { return bool(v_.weight); }
  int64_t outputs() const { return last_.weight.outputs; }
  /// The weight that makes the outputs: the only one, if it is not factored.
  const Weight& weight() const { return last_.weight; }
  /// What multiplies x, and what multiplies the result of that if it is factored.
  const LinearSpec& first() const { return factored() ? v_ : last_; }
  const LinearSpec& last() const { return last_; }

  /// As Ops::linear.
  void forward(Ops& ops, View x, View out, View residual = {}) const;

 private:
  LinearSpec v_, last_;
};

/// Several layers on the same x, which is quantised once: queries, keys and values; gate and up.
class LinearGroup {
 public:
  LinearGroup() = default;
  explicit LinearGroup(std::vector<Linear> layers);
  /// As Ops::linear_many.
  void forward(Ops& ops, View x, std::span<const View> outs) const;

 private:
  void forward_factored(Ops& ops, View x, std::span<const View> outs) const;

  std::vector<Linear> layers_;
  std::vector<LinearSpec> first_;
  bool factored_ = false;
};

/// Row ids[t] of a table of any kind into out[t] (+ out[t] if accumulate).
void embed(Ops& ops, const EmbeddingTable& table, std::span<const int32_t> ids, View out, bool accumulate);

/// Reads the tensors of one source for one backend.
class WeightLoader {
 public:
  WeightLoader(const ModelSource& source, Ops& ops);

  /// `name`.weight, whole or as factors, and `name`.bias where the source has one. `scales` unless the source says
  /// otherwise (kActivationScalesKey).
  Linear linear(const std::string& name, int64_t outputs, int64_t inputs, ActivationScales scales,
                Activation activation = Activation::none) const;
  /// `name`.weight, and `name`.bias where the source has one.
  NormSpec norm(const std::string& name, NormKind kind, int64_t features, double epsilon) const;

 private:
  const ModelSource& source_;
  Ops& ops_;
  std::optional<ActivationScales> scales_;
};

}  // namespace frugal
