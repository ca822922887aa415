// How much of what a question asks a text holds: content words weighed by their rarity in the index, and the cosine of
// meanings where there is an embedder. The ground of extraction, of the check of generated text and of abstention.
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

/// Stems of the content words of a text: function words left out, a word with a digit as it stands.
std::vector<std::string> content_stems(std::string_view text, Language language, const Stemmer& stemmer);

/// The content words of one question, each with its weight. Not thread-safe (it owns a stemmer).
class Evidence {
 public:
  /// Words inside `matched` (article numbers, names of laws) are left out: a provision is matched as one, not by words.
  /// `language` is the question's, or that of the sources where the question has none.
  Evidence(std::span<const Word> words, Language language, std::span<const FoundProvision> matched, Store& store);

  /// True if the question holds no content word to look for.
  bool empty() const { return weights_.empty(); }
  /// Share of the question's weight whose words `text` holds, 0…1; 0 if the question is empty.
  float coverage(std::string_view text) const;
  Language language() const { return language_; }

 private:
  Language language_;
  Stemmer stemmer_;
  std::unordered_map<std::string, float> weights_;  // stem → inverse document frequency
  float total_weight_ = 0;
};

/// How sure it is that a source answers the question, 0…1, from the share of its words that the best source holds and
/// the best cosine, if there is an embedder. Logistic, with coefficients set by hand (docs/tools/rag-query.md:
/// abstention).
float answer_confidence(float coverage, std::optional<float> cosine);

}  // namespace frugal
