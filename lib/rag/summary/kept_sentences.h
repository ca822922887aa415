// The sentences that a summary keeps of what was written or quoted: each once, up to a number of words.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "rag/answer/answer_generate.h"
#include "rag/quote/passage_parts.h"
#include "rag/reply/reply.h"

namespace frugal {

/// A sentence with the chunk that it cites and the bytes that it quotes there.
struct KeptSentence {
  std::string text;  // without the mark of a list
  const Hit* source = nullptr;
  TextRange quote;
};

class KeptSentences {
 public:
  using Sink = std::function<void(const KeptSentence&)>;
  /// sources: those of the GroundedText, borrowed. sink: gets each sentence as soon as it is kept; may be empty.
  KeptSentences(std::span<const Hit* const> sources, int64_t max_words, bool only_one, Sink sink);

  /// Keeps the statements that are new since the last call. False if no more are wanted.
  bool take(std::span<const GroundedText::Statement> statements);
  /// Keeps a sentence unless it says again what a kept one says, or exceeds the words that are left. The first one is
  /// kept whatever its length.
  void keep(KeptSentence sentence);

  bool empty() const { return kept_.empty(); }
  std::vector<KeptSentence> take_all() { return std::move(kept_); }

 private:
  using WordSet = std::unordered_set<std::string>;
  bool repeats(const WordSet& words) const;

  std::span<const Hit* const> sources_;
  int64_t words_left_;
  bool only_one_;
  Sink sink_;
  std::vector<KeptSentence> kept_;
  std::vector<WordSet> said_;  // the folded words of each
  size_t taken_ = 0;
  bool full_ = false;
};

}  // namespace frugal
