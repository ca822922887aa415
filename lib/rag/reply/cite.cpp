#include "rag/reply/cite.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "base/units.h"
#include "base/utf8.h"
#include "model/unicode/unicode.h"
#include "rag/extract/extract.h"

namespace frugal {
namespace {

constexpr char32_t kByteOrderMark = 0xFEFF;

}  // namespace

Citation cite(const Hit& hit, uint32_t begin, uint32_t end, int64_t n) {
  const Chunk& chunk = hit.chunk;
  const std::string_view text = chunk.text;
  Citation citation;
  citation.n = n;
  citation.id = chunk.id;
  citation.path = chunk.path;
  citation.record = chunk.external_id;
  citation.text_begin = chunk.start_byte + begin;
  citation.text_end = chunk.start_byte + end;
  citation.in_file = chunk.in_file;
  // Without a map, a record's line is that of the record: its own line breaks may be escapes.
  const bool is_record = !chunk.external_id.empty();
  const SourceMap::Place same{citation.text_begin, citation.text_end,
                              chunk.line + (is_record ? 0 : std::count(text.begin(), text.begin() + begin, '\n'))};
  const SourceMap::Place place = chunk.source ? chunk.source->find(begin, end) : same;
  citation.start_byte = place.begin;
  citation.end_byte = place.end;
  citation.line = place.line;
  citation.file_bytes = chunk.file_bytes;
  citation.file_mtime_ns = chunk.file_mtime_ns;
  citation.page = page_at(text, begin, chunk.page);
  citation.sha256 = chunk.sha256;
  citation.quote = text.substr(begin, end - begin);
  return citation;
}

std::string text_of_quote(std::string_view quote) {
  std::string text;
  bool space_due = false;
  for (size_t at = 0; at < quote.size();) {
    const CodePoint point = decode_utf8(quote, at);
    const std::string_view bytes = quote.substr(at, point.num_bytes);
    at += point.num_bytes;
    if (point.value == kByteOrderMark) continue;
    if (unicode::is_space(point.value)) {
      space_due = !text.empty();
      continue;
    }
    if (std::exchange(space_due, false)) text += ' ';
    text += bytes;
  }
  return text;
}

std::string text_of_quotes(std::span<const Citation> citations) {
  std::string text;
  for (const Citation& citation : citations) text += (text.empty() ? "" : "\n") + text_of_quote(citation.quote);
  return text;
}

void look_at_sources(std::span<Citation> citations) {
  std::map<std::string_view, SourceState> states;
  for (Citation& citation : citations) {
    if (citation.file_bytes < 0) continue;
    const auto [known, is_new] = states.try_emplace(citation.path, SourceState::gone);
    struct stat info {};
    if (is_new && ::stat(citation.path.c_str(), &info) == 0) {
      const int64_t mtime_ns = nanoseconds(info.st_mtim);
      const bool same = info.st_size == citation.file_bytes && mtime_ns == citation.file_mtime_ns;
      known->second = same ? SourceState::unchanged : SourceState::changed;
    }
    citation.source = known->second;
  }
}

}  // namespace frugal
