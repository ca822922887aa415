// Pseudo-relevance feedback: the first passages of a search are taken to be relevant, and what they say is added to the
// question. RM3 (Abdul-Jaleel et al. 2004) for words, Rocchio (1971) for vectors. No model runs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/setting.h"
#include "rag/index/store.h"
#include "rag/text/language.h"
#include "rag/text/words.h"

namespace frugal {

struct FeedbackOptions {
  int64_t passages = 5;
  int64_t words = 10;
  /// Of all added words together, where those of the question have 1.
  float word_weight = 0.5f;
  /// Of the mean of the passages' vectors, where the question's has 1.
  float vector_weight = 0.5f;

  template <typename F>
  void visit(F&& f) {
    f("hyde.feedback.passages", passages, kInternal);
    f("hyde.feedback.words", words, kInternal);
    f("hyde.feedback.word_weight", word_weight, kInternal);
    f("hyde.feedback.vector_weight", vector_weight, kInternal);
  }
};

struct FeedbackPassage {
  int64_t id = 0;   // of the chunk
  float share = 0;  // of the feedback; the shares of all passages sum to 1
};

/// The words of the passages that tell them from the rest of the index, with weights for SparseQuery::expansion:
/// frequent in the passages and rare in the index. Words of one stem count as one, spelled as it was found first.
/// question: its words; language: of the question or, if that is unknown, of its hits.
std::vector<WeightedWord> feedback_words(std::span<const FeedbackPassage> passages, std::span<const Word> question,
                                         Language language, const FeedbackOptions& options, Store& store);

/// The question's vector, moved towards those of the passages, scaled to unit length. question: [dimension].
std::vector<float> feedback_vector(std::span<const FeedbackPassage> passages, std::span<const float> question,
                                   const FeedbackOptions& options, Store& store);

/// `vector` scaled to unit length; unchanged if it is 0.
void normalise(std::span<float> vector);

}  // namespace frugal
