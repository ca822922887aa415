#include "model/nn/model.h"

#include <fmt/format.h>

#include "base/error.h"

namespace frugal {

ModelKind parse_model_kind(std::string_view name) {
  std::string known;
  for (const ModelKind kind : {ModelKind::embedder, ModelKind::decoder, ModelKind::reader, ModelKind::encoder_decoder,
                               ModelKind::image_embedder, ModelKind::vision_language}) {
    if (to_string(kind) == name) return kind;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", to_string(kind));
  }
  throw Error(Code::usage, fmt::format("unknown kind of model '{}'", name)).hint("name one of " + known);
}

}  // namespace frugal
