// Finds added tokens (<|im_start|>, [MASK], …) in a text, leftmost-longest, as Hugging Face's AddedVocabulary does.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "model/tokenize/tokenizer_blob.h"

namespace frugal {

class AddedTokens {
 public:
  /// The added tokens that match the text as given, or those that match normalised text.
  AddedTokens(const TokenizerTables& tables, bool normalized);

  bool empty() const { return begin_ == end_; }

  struct Span {
    std::optional<TokenId> id;  // nullopt: plain text
    size_t begin = 0;
    size_t end = 0;
  };
  /// Splits `text` into spans. Special tokens are plain text unless parse_special.
  std::vector<Span> split(std::string_view text, bool parse_special) const;

 private:
  std::optional<AddedEntry> longest_at(std::string_view text, size_t at) const;
  size_t first_not_below(size_t low, size_t high, size_t depth, int byte) const;
  int byte_at(size_t row, size_t depth) const;

  const TokenizerTables& tables_;
  size_t begin_ = 0, end_ = 0;  // rows of the blob's table
};

}  // namespace frugal
