#include "nn/embedder.h"

#include <fmt/format.h>

#include "base/error.h"
#include "nn/bert.h"

namespace frugal {

std::unique_ptr<Embedder> open_embedder(const ModelSource& source, Ops& ops) {
  const std::string_view architecture = source.config().require_text("model.architecture");
  if (architecture == "bert") return open_bert(source, ops);
  throw Error(Code::mismatch, fmt::format("{}: a '{}' model is not an embedder", source.path().native(), architecture))
      .hint("give the pack of an encoder, such as all-MiniLM-L6-v2, as --embedder");
}

std::unique_ptr<Embedder> open_embedder(const Pack& pack, Ops& ops) {
  return open_embedder(PackSource(pack), ops);
}

}  // namespace frugal
