#include "nn/blocks.h"

#include <fmt/format.h>

#include "base/error.h"

namespace frugal {

Activation parse_activation(std::string_view name) {
  if (name == "gelu") return Activation::gelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast") return Activation::gelu_tanh;
  if (name == "silu" || name == "swish") return Activation::silu;
  if (name == "relu") return Activation::relu;
  if (name == "tanh") return Activation::tanh;
  throw Error(Code::bad_input, fmt::format("unknown activation '{}'", name))
      .hint("known: gelu, gelu_new, silu, relu, tanh");
}

LinearSpec WeightLoader::linear(const std::string& name, int64_t outputs, int64_t inputs, ActivationScales scales,
                                Activation activation) const {
  LinearSpec spec;
  spec.weight = source_.linear(name + ".weight", outputs, inputs, ops_);
  if (source_.has(name + ".bias")) spec.bias = source_.vector(name + ".bias", outputs);
  spec.activation = activation;
  spec.scales = scales;
  return spec;
}

NormSpec WeightLoader::norm(const std::string& name, NormKind kind, int64_t features, float epsilon) const {
  NormSpec spec;
  spec.kind = kind;
  spec.gamma = source_.vector(name + ".weight", features);
  if (source_.has(name + ".bias")) spec.beta = source_.vector(name + ".bias", features);
  spec.epsilon = epsilon;
  return spec;
}

}  // namespace frugal
