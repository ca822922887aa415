#include "nn/decoder.h"

#include <fmt/format.h>

#include "base/error.h"
#include "nn/llama.h"

namespace frugal {

std::unique_ptr<Decoder> open_decoder(const ModelSource& source, Ops& ops) {
  const std::string_view architecture = source.config().require_text("model.architecture");
  if (architecture == "llama") return open_llama(source, ops);
  throw Error(Code::mismatch,
              fmt::format("{}: a '{}' model does not generate text", source.path().native(), architecture))
      .hint("give the pack of a decoder, such as SmolLM2, as --generator");
}

std::unique_ptr<Decoder> open_decoder(const Pack& pack, Ops& ops) {
  return open_decoder(PackSource(pack), ops);
}

}  // namespace frugal
