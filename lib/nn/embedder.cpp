#include "nn/embedder.h"

#include <fmt/format.h>

#include "base/error.h"
#include "nn/bert.h"

namespace frugal {

std::unique_ptr<Embedder> open_embedder(const Pack& pack, Ops& ops) {
  const std::string_view architecture = pack.require_text("model.architecture");
  if (architecture == "bert") return open_bert(pack, ops);
  throw Error(Code::mismatch, fmt::format("{}: a '{}' model is not an embedder", pack.path().native(), architecture))
      .hint("give the pack of an encoder, such as all-MiniLM-L6-v2, as --embedder");
}

}  // namespace frugal
