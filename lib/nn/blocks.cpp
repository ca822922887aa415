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
  spec.weight = ops_.prepare(pack_.require_linear(name + ".weight", outputs, inputs));
  if (pack_.find(name + ".bias")) spec.bias = pack_.require_f32(name + ".bias", Shape{outputs});
  spec.activation = activation;
  spec.scales = scales;
  return spec;
}

NormSpec WeightLoader::norm(const std::string& name, NormKind kind, int64_t features, float epsilon) const {
  NormSpec spec;
  spec.kind = kind;
  spec.gamma = pack_.require_f32(name + ".weight", Shape{features});
  if (pack_.find(name + ".bias")) spec.beta = pack_.require_f32(name + ".bias", Shape{features});
  spec.epsilon = epsilon;
  return spec;
}

EmbeddingTable load_embedding(const Pack& pack, std::string_view name, int64_t rows, int64_t features) {
  const PackTensor tensor = pack.require(name);
  const bool known = tensor.dtype == DType::f32 || tensor.dtype == DType::f16 || tensor.dtype == DType::i8;
  if (!known || tensor.shape != Shape{rows, features} ||
      (tensor.dtype == DType::i8 && int64_t(tensor.scales.size()) != rows))
    throw Error(Code::corrupt_file,
                fmt::format("{}: tensor '{}' is {} {}, expected an embedding table [{}, {}]", pack.path().native(),
                            name, to_string(tensor.dtype), tensor.shape.to_string(), rows, features))
        .hint("re-run quantize-model");
  // Views are not const, a pack is read-only: an embedding table is only ever read (Ops::embed).
  void* data = const_cast<std::byte*>(tensor.data.data());
  return {View(data, tensor.dtype, tensor.shape), tensor.scales};
}

}  // namespace frugal
