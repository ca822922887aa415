// Layers that architectures share, and the loader that reads their weights by name from a ModelSource and prepares them
// for a backend.
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

/// Key of a pack that replaces the architecture's own ActivationScales in all linear layers. Its only value is
/// "grouped" (quantize-model --dtype auto; docs/design/0018).
inline constexpr std::string_view kActivationScalesKey = "quant.activation_scales";

/// A linear layer: y = W x + b, or y = U (V x) + b if the source stores the weight as two factors.
class Linear {
 public:
  Linear() = default;
  explicit Linear(LinearSpec whole) : last_(whole) {}
  Linear(LinearSpec v, LinearSpec u) : v_(v), last_(u) {}

  bool factored() const { return bool(v_.weight); }
  int64_t outputs() const { return last_.weight.outputs; }
  /// W, or U if factored.
  const Weight& weight() const { return last_.weight; }
  /// The layer that is applied to x (W or V), and the one that gives the outputs (W or U).
  const LinearSpec& first() const { return factored() ? v_ : last_; }
  const LinearSpec& last() const { return last_; }

  /// As Ops::linear.
  void forward(Ops& ops, View x, View out, View residual = {}) const;

 private:
  LinearSpec v_, last_;
};

/// Linear layers with the same input, which is quantised once: queries, keys and values; gate and up.
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

/// A pre-norm feed-forward layer: x + down(up(norm(x))), where `up` has the activation.
class NormedMlp {
 public:
  NormedMlp() = default;
  NormedMlp(NormSpec norm, Linear up, Linear down) : norm_(norm), up_(up), down_(down) {}
  /// x: [tokens, features], updated in place.
  void forward(Ops& ops, View x) const;

 private:
  NormSpec norm_;
  Linear up_, down_;
};

/// Normalises each head by itself (query-key normalisation, Henry et al. 2020). x: [tokens, heads · features of the
/// norm], contiguous, in place. A norm without weights changes nothing.
void normalise_heads(Ops& ops, const NormSpec& norm, View x);

/// out[t] = table row ids[t] (+ out[t] if accumulate), for a table in any form. out: [ids, features].
void embed(Ops& ops, const EmbeddingTable& table, std::span<const int32_t> ids, View out, bool accumulate);

/// Loads layers from one source for one backend. Borrows both. Throws as ModelSource does.
class WeightLoader {
 public:
  WeightLoader(const ModelSource& source, Ops& ops);

  /// `name`.weight [outputs, inputs], whole or as two factors, and `name`.bias [outputs] if the source has one. The
  /// source's kActivationScalesKey takes precedence over `scales`.
  Linear linear(const std::string& name, int64_t outputs, int64_t inputs, ActivationScales scales,
                Activation activation = Activation::none) const;
  /// True if the source has `name`.weight.
  bool has(const std::string& name) const { return source_.has(name + ".weight"); }
  /// `name`.weight [features], and `name`.bias [features] if the source has one.
  NormSpec norm(const std::string& name, NormKind kind, int64_t features, double epsilon) const;

 private:
  const ModelSource& source_;
  Ops& ops_;
  std::optional<ActivationScales> scales_;
};

}  // namespace frugal
