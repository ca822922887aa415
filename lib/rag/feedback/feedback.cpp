#include "rag/feedback/feedback.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "rag/text/rarity.h"
#include "rag/text/stemmer.h"

namespace frugal {
namespace {

// Words whose rarity is looked up, for each word that is added.
constexpr int64_t kLookedUpPerWord = 2;

std::vector<int64_t> ids_of(std::span<const FeedbackPassage> passages) {
  std::vector<int64_t> ids;
  for (const FeedbackPassage& passage : passages) ids.push_back(passage.id);
  return ids;
}

float share_of(std::span<const FeedbackPassage> passages, int64_t id) {
  const auto found = std::find_if(passages.begin(), passages.end(), [&](const auto& each) { return each.id == id; });
  return found == passages.end() ? 0 : found->share;
}

// Greatest weight first, ties by word, so that a run is like the other; only the first `limit`.
void keep_heaviest(std::vector<WeightedWord>& words, int64_t limit) {
  std::sort(words.begin(), words.end(), [](const WeightedWord& a, const WeightedWord& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.word < b.word;
  });
  words.resize(std::min(words.size(), static_cast<size_t>(std::max<int64_t>(limit, 0))));
}

// The probability of each word in the passages: Σ share · count / length.
std::vector<WeightedWord> relevance_model(std::span<const FeedbackPassage> passages, Language language, Store& store) {
  const Stemmer stemmer(language);
  std::unordered_map<std::string, WeightedWord> by_stem;
  for (const Chunk& chunk : store.fetch(ids_of(passages))) {
    std::vector<Word> words = split_words(chunk.text);
    std::erase_if(words, [&](const Word& word) { return is_stop_word(word.folded, language); });
    const float each = share_of(passages, chunk.id) / static_cast<float>(std::max<size_t>(words.size(), 1));
    for (Word& word : words) {
      std::string stem = stemmer.stem(word.folded);
      WeightedWord& held = by_stem[std::move(stem)];
      if (held.word.empty()) held.word = std::move(word.folded);
      held.weight += each;
    }
  }
  std::vector<WeightedWord> model;
  model.reserve(by_stem.size());
  for (auto& [stem, word] : by_stem) model.push_back(std::move(word));
  return model;
}

size_t content_words(std::span<const Word> words, Language language) {
  std::unordered_set<std::string_view> content;
  for (const Word& word : words)
    if (!is_stop_word(word.folded, language)) content.insert(word.folded);
  return std::max<size_t>(content.size(), 1);
}

}  // namespace

std::vector<WeightedWord> feedback_words(std::span<const FeedbackPassage> passages, std::span<const Word> question,
                                         Language language, const FeedbackOptions& options, Store& store) {
  std::vector<WeightedWord> added = relevance_model(passages, language, store);
  keep_heaviest(added, options.words * kLookedUpPerWord);
  std::vector<std::string> words;
  words.reserve(added.size());
  for (const WeightedWord& each : added) words.push_back(each.word);
  const std::vector<int64_t> counts = store.count_chunks(words, language);
  for (size_t i = 0; i < added.size(); ++i)
    added[i].weight *= inverse_document_frequency(counts[i], store.chunk_count());
  keep_heaviest(added, options.words);
  const float sum = std::accumulate(added.begin(), added.end(), 0.0f,
                                    [](float so_far, const WeightedWord& each) { return so_far + each.weight; });
  if (sum <= 0) return {};
  const float scale = options.word_weight * static_cast<float>(content_words(question, language)) / sum;
  for (WeightedWord& each : added) each.weight *= scale;
  return added;
}

std::vector<float> feedback_vector(std::span<const FeedbackPassage> passages, std::span<const float> question,
                                   const FeedbackOptions& options, Store& store) {
  std::vector<float> moved(question.begin(), question.end());
  for (const ChunkVector& vector : store.fetch_vectors(ids_of(passages))) {
    const float weight = options.vector_weight * share_of(passages, vector.id);
    for (size_t i = 0; i < moved.size(); ++i) moved[i] += weight * vector.values[i];
  }
  normalise(moved);
  return moved;
}

void normalise(std::span<float> vector) {
  double squares = 0;
  for (const float value : vector) squares += double(value) * value;
  if (squares <= 0) return;
  const auto scale = static_cast<float>(1 / std::sqrt(squares));
  for (float& value : vector) value *= scale;
}

}  // namespace frugal
