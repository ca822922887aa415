// Matching is leftmost-longest over the sorted table of the blob, which serves as a trie: reading one more byte narrows
// the range of rows by two binary searches. No automaton is built, so opening a tokenizer costs nothing. Flags are
// applied to a match afterwards, as in Hugging Face: a token that must stand alone is skipped inside a word, and
// left/right strip takes the neighbouring white space into the token.
#include "model/tokenize/added_tokens.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/utf8.h"
#include "model/unicode/unicode.h"

namespace frugal {

namespace {

// \w of the regex engine.
bool is_word_char(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  const bool mark = category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
  return mark || category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_PC || unicode::is_letter(c);
}

bool stands_alone(std::string_view text, size_t begin, size_t end) {
  const bool before = begin > 0 && is_word_char(decode_utf8_before(text, begin).value);
  const bool after = end < text.size() && is_word_char(decode_utf8(text, end).value);
  return !before && !after;
}

size_t space_begin(std::string_view text, size_t end) {
  while (end > 0) {
    const CodePoint point = decode_utf8_before(text, end);
    if (!unicode::is_space(point.value)) break;
    end -= point.num_bytes;
  }
  return end;
}

size_t space_end(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    const CodePoint point = decode_utf8(text, begin);
    if (!unicode::is_space(point.value)) break;
    begin += point.num_bytes;
  }
  return begin;
}

}  // namespace

AddedTokens::AddedTokens(const TokenizerTables& tables, bool normalized) : tables_(tables) {
  const auto& rows = tables.added();
  const auto is_normalized = [&](size_t row) { return (rows[row].flags & kAddedNormalized) != 0; };
  size_t middle = 0;
  while (middle < rows.size() && !is_normalized(middle)) ++middle;
  begin_ = normalized ? middle : 0;
  end_ = normalized ? rows.size() : middle;
}

std::vector<AddedTokens::Span> AddedTokens::split(std::string_view text, bool parse_special) const {
  std::vector<Span> spans;
  size_t plain = 0;  // begin of the text not yet emitted
  for (size_t at = 0; !empty() && at < text.size();) {
    const auto token = longest_at(text, at);
    if (!token) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + token->match_bytes;
    at = end;
    if ((token->flags & kAddedSpecial) && !parse_special) continue;
    if ((token->flags & kAddedSingleWord) && !stands_alone(text, begin, end)) continue;
    if (token->flags & kAddedLeftStrip) begin = std::max(space_begin(text, begin), plain);
    if (token->flags & kAddedRightStrip) end = space_end(text, end);
    if (plain < begin) spans.push_back({std::nullopt, plain, begin});
    spans.push_back({token->id, begin, end});
    plain = end;
  }
  if (plain < text.size()) spans.push_back({std::nullopt, plain, text.size()});
  return spans;
}

// Searches the sorted rows as a trie: [low, high) holds the rows that share the bytes read so far, shortest first.
std::optional<AddedEntry> AddedTokens::longest_at(std::string_view text, size_t at) const {
  std::optional<AddedEntry> longest;
  size_t low = begin_, high = end_;
  for (size_t depth = 0; low < high && at + depth < text.size(); ++depth) {
    const int byte = static_cast<unsigned char>(text[at + depth]);
    low = first_not_below(low, high, depth, byte);
    high = first_not_below(low, high, depth, byte + 1);
    if (low == high) break;
    const AddedEntry shortest = tables_.added()[low];
    if (shortest.match_bytes == depth + 1) longest = shortest;
  }
  return longest;
}

size_t AddedTokens::first_not_below(size_t low, size_t high, size_t depth, int byte) const {
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (byte_at(middle, depth) < byte)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

int AddedTokens::byte_at(size_t row, size_t depth) const {
  const AddedEntry entry = tables_.added()[row];
  if (depth >= entry.match_bytes) return -1;
  return static_cast<unsigned char>(tables_.added_bytes(entry.match_offset, entry.match_bytes)[depth]);
}

}  // namespace frugal
