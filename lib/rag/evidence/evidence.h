// Measures how well a text covers a question: the share of the question's content words that the text contains,
// weighted by their rarity in the index. Extraction picks its quote by this measure; together with the best cosine it
// gives the confidence that decides on abstention where there is no reader.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rag/index/store.h"
#include "rag/law/provision.h"
#include "rag/text/language.h"
#include "rag/text/stemmer.h"
#include "rag/text/words.h"

namespace frugal {

/// Returns the stems of all words of a text that are not stop words, in order, with repetitions. Words with digits are
/// not stemmed.
std::vector<std::string> content_stems(std::string_view text, Language language, const Stemmer& stemmer);

/// The content words of one question and their weights. Not thread-safe (it owns a stemmer).
class Evidence {
 public:
  /// `words` are the question's. Those within `matched` (article numbers, names of laws) do not count: a provision is
  /// looked up as a whole, not word by word. `language`: of the question or, if that is unknown, of its hits.
  Evidence(std::span<const Word> words, Language language, std::span<const FoundProvision> matched, Store& store);

  /// True if the question has no content words.
  bool empty() const { return weights_.empty(); }
  /// The weight of the question's words that `text` contains, divided by the weight of all: 0…1; 0 if empty().
  float coverage(std::string_view text) const;
  Language language() const { return language_; }

 private:
  Language language_;
  Stemmer stemmer_;
  std::unordered_map<std::string, float> weights_;  // stem → inverse document frequency
  float total_weight_ = 0;
};

/// The mean cosine of a search by vectors; nullopt if it found too few chunks to tell what is usual.
std::optional<float> background_cosine(std::span<const ScoredChunk> dense);
/// How far a cosine stands out: (cosine − background) / (1 − background). Embedders differ in the cosines that they
/// give to texts that have nothing in common, from .1 to .8; this is comparable.
float cosine_contrast(float cosine, float background);

/// The probability, 0…1, that a quote from the sources answers the question: a logistic function of the best coverage
/// and, if known, the contrast (docs/tools/rag-query.md: abstention).
float answer_confidence(float coverage, std::optional<float> contrast);

}  // namespace frugal
