#include "model/tokenize/tokenizer.h"

#include <limits>

#include "base/error.h"
#include "base/utf8.h"
#include "model/tokenize/tokenizer_base.h"

namespace frugal {

std::unique_ptr<Tokenizer> Tokenizer::open(std::span<const std::byte> blob) {
  const TokenizerTables tables(blob);
  switch (tables.header().kind) {
    case BlobKind::wordpiece:
      return open_wordpiece(blob);
    case BlobKind::byte_level_bpe:
    case BlobKind::character_bpe:
      return open_bpe(blob);
    case BlobKind::unigram:
      return open_unigram(blob);
  }
  blob_index_error("kinds", static_cast<uint32_t>(tables.header().kind), 5);
}

TableTokenizer::TableTokenizer(std::span<const std::byte> blob)
    : tables_(blob),
      added_as_given_(tables_, false),
      added_normalized_(tables_, true),
      prefix_(tables_.prefix()),
      suffix_(tables_.suffix()),
      separator_(tables_.separator()) {}

std::vector<TokenId> TableTokenizer::encode(std::string_view text, bool parse_special) const {
  std::vector<TokenId> ids;
  encode_into(text, parse_special, PieceSink(ids));
  return ids;
}

std::vector<Tokenizer::Piece> TableTokenizer::encode_pieces(std::string_view text, bool parse_special) const {
  std::vector<Piece> pieces;
  encode_into(text, parse_special, PieceSink(pieces));
  return pieces;
}

void TableTokenizer::encode_into(std::string_view text, bool parse_special, PieceSink sink) const {
  if (text.size() > std::numeric_limits<uint32_t>::max())
    throw Error(Code::bad_input, "a text of more than 4 GiB cannot be tokenised").hint("split the text");
  for (const AddedTokens::Span& span : added_as_given_.split(text, parse_special)) {
    if (span.id) {
      sink.map(0, nullptr);
      sink.add(*span.id, span.begin, span.end);
    } else {
      encode_plain(text.substr(span.begin, span.end - span.begin), static_cast<uint32_t>(span.begin), parse_special,
                   sink);
    }
  }
}

std::optional<TokenId> TableTokenizer::find(std::string_view token) const {
  for (size_t row = 0; row < tables_.added().size(); ++row) {
    const AddedEntry entry = tables_.added()[row];
    if (tables_.added_bytes(entry.content_offset, entry.content_bytes) == token) return entry.id;
  }
  return find_in_vocabulary(token);
}

bool TableTokenizer::is_special(TokenId id) const {
  return tables_.contains(id) && (tables_.flags(id) & kSpecialToken) != 0;
}

bool TableTokenizer::is_skipped(TokenId id, bool keep_special) const {
  if (!tables_.contains(id) || (tables_.flags(id) & kAbsentToken)) return true;
  return !keep_special && is_special(id);
}

bool TableTokenizer::is_byte_token(TokenId id) const {
  return tables_.header().kind != BlobKind::byte_level_bpe && tables_.contains(id) &&
         (tables_.flags(id) & kRawToken) != 0;
}

std::string TableTokenizer::bytes_at(std::span<const TokenId> ids, size_t& i, bool keep_special) const {
  std::string run;
  for (; i < ids.size() && (is_skipped(ids[i], keep_special) || is_byte_token(ids[i])); ++i)
    if (!is_skipped(ids[i], keep_special)) run += tables_.token(ids[i]);
  --i;
  if (is_valid_utf8(run)) return run;
  std::string text;
  for (size_t n = run.size(); n > 0; --n) append_utf8(text, kReplacement);
  return text;
}

std::string TableTokenizer::with_spaces(std::string_view token, std::string_view space) {
  constexpr std::string_view kMark = "\u2581";
  std::string text;
  while (!token.empty()) {
    const bool mark = token.starts_with(kMark);
    text += mark ? space : token.substr(0, 1);
    token.remove_prefix(mark ? kMark.size() : 1);
  }
  return text;
}

}  // namespace frugal
