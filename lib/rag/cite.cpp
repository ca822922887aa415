#include "rag/cite.h"

#include <algorithm>

namespace frugal {

Citation cite(const Hit& hit, uint32_t begin, uint32_t end, int64_t n) {
  const Chunk& chunk = hit.chunk;
  const std::string_view text = chunk.text;
  Citation citation;
  citation.n = n;
  citation.id = chunk.id;
  citation.path = chunk.path;
  citation.start_byte = chunk.start_byte + begin;
  citation.end_byte = chunk.start_byte + end;
  citation.line = chunk.line + std::count(text.begin(), text.begin() + begin, '\n');
  citation.page = chunk.page;
  citation.sha256 = chunk.sha256;
  citation.quote = text.substr(begin, end - begin);
  return citation;
}

}  // namespace frugal
