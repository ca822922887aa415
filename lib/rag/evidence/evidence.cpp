#include "rag/evidence/evidence.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_set>

#include "rag/text/language.h"
#include "rag/text/rarity.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

// Fewer cosines are no background: most of them may be of chunks that are relevant.
constexpr size_t kMinBackground = 50;

bool is_inside_any(const Word& word, std::span<const FoundProvision> provisions) {
  return std::any_of(provisions.begin(), provisions.end(), [&](const FoundProvision& provision) {
    return word.begin >= provision.begin && word.end <= provision.end;
  });
}

}  // namespace

std::vector<std::string> content_stems(std::string_view text, Language language, const Stemmer& stemmer) {
  std::vector<std::string> stems;
  for (const Word& word : split_words(text))
    if (!is_stop_word(word.folded, language)) stems.push_back(stemmer.stem(word.folded));
  return stems;
}

Evidence::Evidence(std::span<const Word> words, Language language, std::span<const FoundProvision> matched,
                   Store& store)
    : language_(language), stemmer_(language) {
  std::vector<std::string> asked;
  for (const Word& word : words)
    if (!is_stop_word(word.folded, language_) && !is_inside_any(word, matched) &&
        std::find(asked.begin(), asked.end(), word.folded) == asked.end())
      asked.push_back(word.folded);
  const std::vector<int64_t> counts = store.count_chunks(asked, language_);
  const int64_t chunks = store.chunk_count();
  for (size_t i = 0; i < asked.size(); ++i) {
    const auto [entry, added] =
        weights_.try_emplace(stemmer_.stem(asked[i]), inverse_document_frequency(counts[i], chunks));
    if (added) total_weight_ += entry->second;
  }
}

float Evidence::coverage(std::string_view text) const {
  if (weights_.empty()) return 0;
  std::unordered_set<std::string> held;
  for (const Word& word : split_words(text)) {
    std::string stem = stemmer_.stem(word.folded);
    if (weights_.contains(stem)) held.insert(std::move(stem));
  }
  float weight = 0;
  for (const std::string& stem : held) weight += weights_.at(stem);
  return weight / total_weight_;
}

std::optional<float> background_cosine(std::span<const ScoredChunk> dense) {
  if (dense.size() < kMinBackground) return std::nullopt;
  const float sum = std::accumulate(dense.begin(), dense.end(), 0.0f,
                                    [](float all, const ScoredChunk& hit) { return all + hit.score; });
  return sum / static_cast<float>(dense.size());
}

float cosine_contrast(float cosine, float background) {
  return background < 1 ? (cosine - background) / (1 - background) : 0.0f;
}

float answer_confidence(float coverage, std::optional<float> contrast) {
  // Logistic regression of "the quote holds the answer" on held-out articles of the reader's training data, with both
  // embedders and in both languages (scripts/reader/calibration.py).
  const float logit = contrast ? -3.82f + 3.74f * coverage + 2.67f * *contrast : -3.4f + 4.34f * coverage;
  return 1.0f / (1.0f + std::exp(-logit));
}

}  // namespace frugal
