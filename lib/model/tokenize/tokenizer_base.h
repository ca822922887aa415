// Shared by all tokenizers over the flat tables: opening, look-ups, added tokens, and the sink that receives tokens.
#pragma once

#include <vector>

#include "model/tokenize/added_tokens.h"
#include "model/tokenize/tokenizer.h"
#include "model/tokenize/tokenizer_blob.h"
#include "model/unicode/normalize.h"

namespace frugal {

/// The changes of characters that the flags of a BPE's blob ask for.
inline CharacterChanges bpe_changes(uint32_t flags) {
  CharacterChanges changes;
  changes.join_spaces = (flags & kJoinSpaces) != 0;
  changes.lowercase = (flags & kLowercase) != 0;
  changes.mark_spaces = (flags & kMarkSpaces) != 0;
  return changes;
}

/// Collects tokens, as ids only or with their bytes of the original text.
class PieceSink {
 public:
  explicit PieceSink(std::vector<TokenId>& ids) : ids_(&ids) {}
  explicit PieceSink(std::vector<Tokenizer::Piece>& pieces) : pieces_(&pieces) {}

  /// Sets how positions are mapped: relative to byte `base` of the original text, through `origins` unless it is null.
  void map(uint32_t base, const std::vector<Origin>* origins) { base_ = base, origins_ = origins; }

  /// False if positions are dropped.
  bool wants_positions() const { return pieces_ != nullptr; }

  /// Bytes [begin, end) of the mapped text; begin < end.
  void add(TokenId id, size_t begin, size_t end) {
    if (ids_ != nullptr) return ids_->push_back(id);
    if (origins_ != nullptr) {
      const Origin first = (*origins_)[begin], last = (*origins_)[end - 1];
      begin = first.begin, end = last.end;
    }
    pieces_->push_back({id, base_ + static_cast<uint32_t>(begin), base_ + static_cast<uint32_t>(end)});
  }

 private:
  std::vector<TokenId>* ids_ = nullptr;
  std::vector<Tokenizer::Piece>* pieces_ = nullptr;
  uint32_t base_ = 0;
  const std::vector<Origin>* origins_ = nullptr;
};

class TableTokenizer : public Tokenizer {
 public:
  explicit TableTokenizer(std::span<const std::byte> blob);
  TableTokenizer(const TableTokenizer&) = delete;  // added tokens refer to the tables
  TableTokenizer& operator=(const TableTokenizer&) = delete;

  std::vector<TokenId> encode(std::string_view text, bool parse_special) const override;
  std::vector<Piece> encode_pieces(std::string_view text, bool parse_special) const override;
  std::optional<TokenId> find(std::string_view token) const override;
  bool is_special(TokenId id) const override;

  int64_t vocab_size() const override { return tables_.header().vocab_size; }
  std::span<const TokenId> prefix() const override { return prefix_; }
  std::span<const TokenId> suffix() const override { return suffix_; }
  std::span<const TokenId> separator() const override { return separator_; }
  std::optional<TokenId> bos() const override { return known(tables_.header().bos); }
  std::optional<TokenId> eos() const override { return known(tables_.header().eos); }
  std::optional<TokenId> pad() const override { return known(tables_.header().pad); }
  std::optional<TokenId> unk() const override { return known(tables_.header().unk); }

 protected:
  /// Emits the tokens of a text that contains no added token (of those matched as given). `text` begins at byte `base`
  /// of the original.
  virtual void encode_plain(std::string_view text, uint32_t base, bool parse_special, PieceSink& sink) const = 0;
  /// The id of a token of the model's vocabulary.
  virtual std::optional<TokenId> find_in_vocabulary(std::string_view token) const = 0;

  /// A token with `space` in place of each U+2581.
  static std::string with_spaces(std::string_view token, std::string_view space = " ");
  /// True if decode() skips `id`.
  bool is_skipped(TokenId id, bool keep_special) const;
  /// BPE of characters, Unigram: <0x00> to <0xFF>, whose token is the byte.
  bool is_byte_token(TokenId id) const;
  /// The text of the tokens of bytes from ids[i] on. Bytes that are no text together are each U+FFFD. Moves `i` to the
  /// last of them.
  std::string bytes_at(std::span<const TokenId> ids, size_t& i, bool keep_special) const;

  const TokenizerTables& tables() const { return tables_; }
  const AddedTokens& added_normalized() const { return added_normalized_; }

 private:
  void encode_into(std::string_view text, bool parse_special, PieceSink sink) const;
  static std::optional<TokenId> known(int32_t id) { return id < 0 ? std::nullopt : std::optional<TokenId>(id); }

  TokenizerTables tables_;
  AddedTokens added_as_given_, added_normalized_;
  std::vector<TokenId> prefix_, suffix_, separator_;
};

std::unique_ptr<Tokenizer> open_wordpiece(std::span<const std::byte> blob);
std::unique_ptr<Tokenizer> open_bpe(std::span<const std::byte> blob);
std::unique_ptr<Tokenizer> open_unigram(std::span<const std::byte> blob);

}  // namespace frugal
