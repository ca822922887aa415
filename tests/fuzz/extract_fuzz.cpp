// Any bytes as a file to index: the first byte chooses its kind, the rest is the file. Every document is cut into
// chunks that lie within its text, or there is an Error.
#include <cstdlib>
#include <sstream>
#include <string>

#include "fuzz/expect.h"
#include "rag/chunk/chunk.h"
#include "rag/extract/extract.h"

namespace {

void cut(const frugal::Document& document) {
  const frugal::LawTable laws;
  uint32_t reached = 0;
  for (const frugal::TextChunk& chunk : frugal::chunk_document(document, "stem", {}, laws)) {
    if (chunk.begin > chunk.end || chunk.end > document.text.size() || chunk.end < reached) std::abort();
    reached = chunk.end;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t num_bytes) {
  if (num_bytes == 0) return 0;
  constexpr frugal::FileKind kKinds[] = {frugal::FileKind::text, frugal::FileKind::markdown, frugal::FileKind::html,
                                         frugal::FileKind::csv,  frugal::FileKind::jsonl,    frugal::FileKind::eml,
                                         frugal::FileKind::mbox};
  const frugal::FileKind kind = kKinds[data[0] % std::size(kKinds)];
  std::istringstream input(std::string(reinterpret_cast<const char*>(data) + 1, num_bytes - 1));
  frugal::fuzz::expect_no_bug([&] { frugal::extract(input, kind, "file.tsv", {}, cut); });
  return 0;
}
