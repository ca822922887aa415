// Stands in for the tokenizer of a model whose vocabulary is not known: where its tokens begin and end is an estimate.
// The ids are the bytes of the text, so that a text can be had back from them; no model reads them.
#pragma once

#include <cstddef>

#include "model/tokenize/tokenizer.h"

namespace frugal {

class EstimatingTokenizer final : public Tokenizer {
 public:
  /// One id for each byte.
  std::vector<TokenId> encode(std::string_view text, bool parse_special) const override;
  /// The estimated tokens: up to four bytes of a word, whole characters, and each other sign that is no space. That is
  /// more than the tokenizers of current embedders make of English and Portuguese, so chunks come out smaller, not
  /// longer than the model takes.
  std::vector<Piece> encode_pieces(std::string_view text, bool parse_special) const override;
  std::string decode(std::span<const TokenId> ids, bool keep_special) const override;
  std::string token_bytes(TokenId id) const override;
  int64_t vocab_size() const override { return 256; }
  std::optional<TokenId> find(std::string_view token) const override;
  bool is_special(TokenId) const override { return false; }
  std::span<const TokenId> prefix() const override { return {}; }
  std::span<const TokenId> suffix() const override { return {}; }
  std::span<const TokenId> separator() const override { return {}; }
  std::optional<TokenId> bos() const override { return std::nullopt; }
  std::optional<TokenId> eos() const override { return std::nullopt; }
  std::optional<TokenId> pad() const override { return std::nullopt; }
  std::optional<TokenId> unk() const override { return std::nullopt; }
};

}  // namespace frugal
