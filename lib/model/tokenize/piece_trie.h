// The pieces of a Unigram vocabulary as a double-array trie (Aoe 1989), read in place: all pieces that begin at a
// position of a text are found in one walk over its bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "model/tokenize/tokenizer_blob.h"

namespace frugal {

/// The longest piece, in bytes. It bounds the time that a position of a text can take.
constexpr size_t kMaxPieceBytes = 256;

class PieceTrie {
 public:
  explicit PieceTrie(const TokenizerTables& tables) : nodes_(tables.trie()), tables_(tables) {}

  /// Calls found(id, end) for each piece that is text[at, end), the shortest first.
  template <class Found>
  void walk(std::string_view text, size_t at, Found&& found) const {
    const size_t limit = std::min(text.size(), at + kMaxPieceBytes);  // a damaged trie may have a cycle
    TrieNode node = nodes_[0];
    for (uint32_t from = 0; at < limit; ++at) {
      const uint32_t to = node.base ^ static_cast<unsigned char>(text[at]);
      if (to >= nodes_.size()) return;
      node = nodes_[to];
      if (node.parent != from) return;
      from = to;
      if (node.token < 0) continue;
      if (!tables_.contains(node.token)) blob_index_error("trie", static_cast<uint32_t>(node.token), nodes_.size());
      found(node.token, at + 1);
    }
  }

 private:
  const BlobTable<TrieNode>& nodes_;
  const TokenizerTables& tables_;
};

/// The nodes of a trie. Pieces must be distinct, not empty, and no longer than kMaxPieceBytes.
std::vector<TrieNode> build_piece_trie(std::vector<std::pair<std::string_view, TokenId>> pieces);

}  // namespace frugal
