#include "rag/summary/kept_sentences.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

// Of the words of the shorter of two sentences, the share from which one repeats the other: small generators say the
// same again with another tail.
constexpr float kRepetition = 0.8f;

// The text without "- ", "* ", "• " or "3. " at its begin.
std::string_view without_list_mark(std::string_view text) {
  for (const std::string_view mark : {"- ", "* ", "• ", "– "})
    if (text.starts_with(mark)) return trim(text.substr(mark.size()));
  size_t digits = 0;
  while (digits < text.size() && is_digit(static_cast<unsigned char>(text[digits]))) ++digits;
  const std::string_view rest = text.substr(digits);
  const bool is_number = digits > 0 && digits <= 2 && (rest.starts_with(". ") || rest.starts_with(") "));
  return is_number ? trim(rest.substr(2)) : text;
}

}  // namespace

KeptSentences::KeptSentences(std::span<const Hit* const> sources, int64_t max_words, bool only_one, Sink sink)
    : sources_(sources), words_left_(max_words), only_one_(only_one), sink_(std::move(sink)) {}

bool KeptSentences::take(std::span<const GroundedText::Statement> statements) {
  for (; !full_ && taken_ < statements.size(); ++taken_) {
    const GroundedText::Statement& statement = statements[taken_];
    keep({statement.text, sources_[statement.source], {statement.quote_begin, statement.quote_end}});
  }
  return !full_;
}

void KeptSentences::keep(KeptSentence sentence) {
  sentence.text = without_list_mark(sentence.text);
  const std::vector<Word> words = split_words(sentence.text);
  WordSet folded;
  for (const Word& word : words) folded.insert(word.folded);
  if (full_ || folded.empty() || repeats(folded)) return;
  full_ = !kept_.empty() && int64_t(words.size()) > words_left_;
  if (full_) return;
  words_left_ -= int64_t(words.size());
  said_.push_back(std::move(folded));
  kept_.push_back(std::move(sentence));
  if (sink_) sink_(kept_.back());
  full_ = only_one_;
}

bool KeptSentences::repeats(const WordSet& words) const {
  return std::any_of(said_.begin(), said_.end(), [&](const WordSet& earlier) {
    const auto shared =
        std::count_if(words.begin(), words.end(), [&](const std::string& word) { return earlier.contains(word); });
    return float(shared) >= kRepetition * float(std::min(words.size(), earlier.size()));
  });
}

}  // namespace frugal
