#include "model/remote/estimating_tokenizer.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/utf8.h"

namespace frugal {
namespace {

constexpr uint32_t kTokenBytes = 4;

bool is_space(char c) {
  return c == ' ' || ('\t' <= c && c <= '\r');
}
bool is_of_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || is_digit(c) || ('a' <= ascii_lower(c) && ascii_lower(c) <= 'z');
}

TokenId id_of(char c) {
  return static_cast<unsigned char>(c);
}

}  // namespace

std::vector<TokenId> EstimatingTokenizer::encode(std::string_view text, bool) const {
  std::vector<TokenId> ids(text.size());
  std::transform(text.begin(), text.end(), ids.begin(), id_of);
  return ids;
}

std::vector<Tokenizer::Piece> EstimatingTokenizer::encode_pieces(std::string_view text, bool) const {
  std::vector<Piece> pieces;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    do at += decode_utf8(text, at).num_bytes;
    while (is_of_word(text[begin]) && at < text.size() && is_of_word(text[at]) &&
           at + decode_utf8(text, at).num_bytes <= begin + kTokenBytes);
    pieces.push_back({id_of(text[begin]), static_cast<uint32_t>(begin), static_cast<uint32_t>(at)});
  }
  return pieces;
}

std::string EstimatingTokenizer::decode(std::span<const TokenId> ids, bool) const {
  std::string text;
  for (const TokenId id : ids) text += token_bytes(id);
  return text;
}

std::string EstimatingTokenizer::token_bytes(TokenId id) const {
  return 0 <= id && id < vocab_size() ? std::string(1, static_cast<char>(id)) : std::string();
}

std::optional<TokenId> EstimatingTokenizer::find(std::string_view token) const {
  return token.size() == 1 ? std::optional(id_of(token[0])) : std::nullopt;
}

}  // namespace frugal
