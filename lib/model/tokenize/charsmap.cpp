#include "model/tokenize/charsmap.h"

#include "base/utf8.h"

namespace frugal {

std::optional<std::string_view> GraphemeMap::find_grapheme(std::string_view grapheme) const {
  const CodePoint first = decode_utf8(grapheme, 0);
  if (const auto replacement = find(first.value)) return replacement;
  for (size_t end = first.num_bytes; end < grapheme.size();) {
    end += decode_utf8(grapheme, end).num_bytes;
    if (const auto replacement = find_sequence(grapheme.substr(0, end))) return replacement;
  }
  return std::nullopt;
}

std::optional<std::string_view> GraphemeMap::find_sequence(std::string_view key) const {
  size_t low = 0, high = tables_.sequences().size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const SequenceEntry entry = tables_.sequences()[middle];
    const std::string_view found = tables_.map_text(entry.key_offset, entry.key_bytes);
    if (found == key) return tables_.map_text(entry.text_offset, entry.text_bytes);
    if (found < key)
      low = middle + 1;
    else
      high = middle;
  }
  return std::nullopt;
}

}  // namespace frugal
