// Text to token ids and back, over flat tables that are used where they are mapped: no vocabulary is rebuilt at start.
// Identical to Hugging Face's tokenizers on any input. Linear in the input; no recursion, no std::regex.
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

/// Builds the "tokenizer" blob of a pack from a checkpoint's tokenizer. Throws Error(bad_input) naming what is not
/// supported.
std::string build_tokenizer_blob(const TokenizerSource& source);

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Opens the blob in place; `blob` must outlive the tokenizer. Every size and index inside is checked first:
  /// Error(corrupt_file).
  static std::unique_ptr<Tokenizer> open(std::span<const std::byte> blob);

  /// Ids of `text` without the model's template tokens ([CLS], <s>, …). Text that is not UTF-8 has each bad byte
  /// replaced by U+FFFD. With parse_special, special tokens such as <|im_start|> in the text become their ids; without
  /// it they are text, which is what text from users and documents wants. Added tokens that are not special always
  /// count, as Hugging Face has it. A piece of the pre-tokeniser takes up to 30 bytes of working memory a byte while it
  /// is merged (byte-level BPE; pieces are words, unless a text is one run of letters). Throws Error(bad_input) above 4
  /// GiB.
  virtual std::vector<TokenId> encode(std::string_view text, bool parse_special) const = 0;

  /// A token with the range of bytes of `text` it came from, marks that normalisation stripped included. Two tokens
  /// that share a character that normalisation changed share its bytes.
  struct Piece {
    TokenId id = 0;
    uint32_t begin = 0;
    uint32_t end = 0;
  };
  virtual std::vector<Piece> encode_pieces(std::string_view text, bool parse_special) const = 0;

  /// Text of ids, as Hugging Face decodes them (WordPiece with its cleanup). Special tokens are left out unless
  /// keep_special, unknown ids always.
  virtual std::string decode(std::span<const TokenId> ids, bool keep_special) const = 0;
  /// Bytes of one token as it appears inside a text: pieces concatenate to decode()'s result for byte-level models (may
  /// split a UTF-8 character).
  virtual std::string token_bytes(TokenId id) const = 0;

  virtual int64_t vocab_size() const = 0;
  virtual std::optional<TokenId> find(std::string_view token) const = 0;
  virtual bool is_special(TokenId id) const = 0;

  /// Ids that the model's template puts around one text: [CLS] … [SEP], or <s> …
  virtual std::span<const TokenId> prefix() const = 0;
  virtual std::span<const TokenId> suffix() const = 0;
  virtual std::optional<TokenId> bos() const = 0;
  virtual std::optional<TokenId> eos() const = 0;
  virtual std::optional<TokenId> pad() const = 0;
  virtual std::optional<TokenId> unk() const = 0;
};

}  // namespace frugal
