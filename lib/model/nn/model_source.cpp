#include "model/nn/model_source.h"

#include <fmt/format.h>

#include "base/error.h"

namespace frugal {

Weight PackSource::linear(std::string_view tensor, int64_t outputs, int64_t inputs, Ops& ops) const {
  return ops.prepare(pack_.require_linear(tensor, outputs, inputs));
}

std::span<const float> PackSource::vector(std::string_view tensor, int64_t count) const {
  return pack_.require_f32(tensor, Shape{count});
}

EmbeddingTable PackSource::embedding(std::string_view name, int64_t rows, int64_t features, Ops& ops) const {
  const PackTensor tensor = pack_.require(name);
  if (is_linear(tensor.dtype)) return {{}, {}, linear(name, rows, features, ops), nullptr};
  const bool known = tensor.dtype == DType::f32 || tensor.dtype == DType::f16 || tensor.dtype == DType::i8;
  if (!known || tensor.shape != Shape{rows, features} ||
      (tensor.dtype == DType::i8 && int64_t(tensor.scales.size()) != rows))
    throw Error(Code::corrupt_file,
                fmt::format("{}: tensor '{}' is {} {}, expected an embedding table [{}, {}]", pack_.path().native(),
                            name, to_string(tensor.dtype), tensor.shape.to_string(), rows, features))
        .hint("re-run quantize-model");
  return {ConstView(tensor.data.data(), tensor.dtype, tensor.shape), tensor.scales, {}, pack_.pager()};
}

int64_t PackSource::rank(std::string_view tensor) const {
  const auto factor = pack_.find(std::string(tensor) + ".v");
  return factor ? factor->shape[0] : 0;
}

}  // namespace frugal
