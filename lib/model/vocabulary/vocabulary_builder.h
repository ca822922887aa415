// Collects the tokens of a published tokenizer and their roles, and lays them out as a blob. Internal to the builders
// of tokenizers (build_tokenizer.cpp, build_unigram.cpp, build_sentencepiece.cpp).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/tokenize/tokenizer_blob.h"

namespace frugal {

/// Error(bad_input): the tokenizer has a feature that would be tokenised differently here.
Error unsupported(std::string_view field, std::string_view found, std::string_view known);
/// Error(bad_input): the tokenizer's files contradict themselves.
Error malformed(std::string_view field, std::string_view problem);

class VocabularyBuilder {
 public:
  /// Texts that replace code points, and sequences of them, sorted.
  using Replacements = std::map<char32_t, std::string>;
  using Sequences = std::vector<std::pair<std::string, std::string>>;

  explicit VocabularyBuilder(BlobKind kind) { content_.header.kind = kind; }

  TokenizerContent& content() { return content_; }
  const TokenizerContent& content() const { return content_; }
  void set(BlobFlag flag, bool on) {
    if (on) content_.header.flags |= flag;
  }

  /// A token of the model's vocabulary, by its name.
  void add_token(std::string_view name, int64_t id);
  /// BPE: the last byte of a word is looked up with this suffix.
  void set_end_of_word(std::string_view suffix);
  /// An added token; the model's vocabulary decides its id where it has it.
  void add_added(std::string_view name, int64_t id, uint32_t flags);

  std::optional<TokenId> find(std::string_view name) const;
  TokenId find_or_none(std::string_view name) const { return find(name).value_or(-1); }
  /// Throws malformed() if there is no such token.
  TokenId require(std::string_view name, std::string_view field) const;
  /// Throws malformed() if `id` is outside the vocabulary.
  TokenId check_id(int64_t id, std::string_view field) const;

  /// The normalisation of a Unigram, or of a BPE with kCharsmap. Throws Error(bad_input) for a replacement that is too
  /// long.
  void set_replacements(const Replacements& table, const Sequences& sequences);
  /// Unigram: unknown characters are the tokens of their bytes, and no text encodes to the name of such a token. Throws
  /// unsupported() if one is missing; require_byte_tokens() only that.
  void set_byte_tokens();
  void require_byte_tokens() const;
  /// The token of a byte, <0x00> to <0xFF>, or −1.
  TokenId byte_token(int byte) const;

  /// Lays out the blob. Byte-level tokens become the bytes that they encode.
  std::string finish();

 private:
  void reserve(std::string_view name, int64_t id);
  uint32_t put_map_text(std::string_view text);
  void to_bytes();
  void to_byte_tokens();
  std::vector<TrieNode> build_trie() const;

  TokenizerContent content_;
  std::vector<std::string> names_;  // by id
  std::string end_of_word_;
  bool has_byte_tokens_ = false;
  std::unordered_map<std::string, TokenId> ids_, added_ids_;
};

}  // namespace frugal
