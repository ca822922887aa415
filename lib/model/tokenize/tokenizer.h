// Text to token ids and back, over flat tables that are mapped and used in place: no vocabulary is built at start.
// Identical to Hugging Face's tokenizers for any input. Linear in the input; no recursion, no std::regex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/format/checkpoint.h"

namespace frugal {

using TokenId = int32_t;

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Opens a blob in place; `blob` must outlive the tokenizer. Throws Error(corrupt_file) if a size or index is
  /// impossible.
  static std::unique_ptr<Tokenizer> open(std::span<const std::byte> blob);

  /// The ids of `text`, without the model's template tokens ([CLS], <s>, …). Each ill-formed byte becomes U+FFFD. With
  /// parse_special, special tokens in the text such as <|im_start|> become their ids; without it they are plain text,
  /// which is right for text from users and documents: no text then has the id of a special token. Added tokens that
  /// are not special always match, as in Hugging Face. BPE uses up to 30 bytes of working memory per byte of a
  /// pre-tokeniser piece (a word, unless the text is one run of letters; the whole text for a BPE of characters),
  /// Unigram up to 60 per byte of a word, and 9 per byte of the text if added tokens match normalised text. Throws
  /// Error(bad_input) above 4 GiB.
  virtual std::vector<TokenId> encode(std::string_view text, bool parse_special) const = 0;

  /// A token with its byte range in `text`, including marks that normalisation stripped. Tokens that share one original
  /// character, changed by normalisation, share its bytes.
  struct Piece {
    TokenId id = 0;
    uint32_t begin = 0;
    uint32_t end = 0;
  };
  virtual std::vector<Piece> encode_pieces(std::string_view text, bool parse_special) const = 0;

  /// The text of ids, decoded as Hugging Face does (WordPiece with its cleanup). Skips special tokens unless
  /// keep_special, and unknown ids always.
  virtual std::string decode(std::span<const TokenId> ids, bool keep_special) const = 0;
  /// The bytes of one token inside a text. For byte-level models the pieces concatenate to decode()'s result; a piece
  /// may split a UTF-8 character.
  virtual std::string token_bytes(TokenId id) const = 0;

  virtual int64_t vocab_size() const = 0;
  virtual std::optional<TokenId> find(std::string_view token) const = 0;
  virtual bool is_special(TokenId id) const = 0;

  /// The ids that the model's template adds before and after a text: [CLS] … [SEP], or <s> …
  virtual std::span<const TokenId> prefix() const = 0;
  virtual std::span<const TokenId> suffix() const = 0;
  /// The ids that the template adds between the two texts of a pair, which suffix() ends: [SEP], or </s></s>.
  virtual std::span<const TokenId> separator() const = 0;
  virtual std::optional<TokenId> bos() const = 0;
  virtual std::optional<TokenId> eos() const = 0;
  virtual std::optional<TokenId> pad() const = 0;
  virtual std::optional<TokenId> unk() const = 0;
};

}  // namespace frugal
