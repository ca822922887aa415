// An index, an embedder and a generator in memory, simple enough to be right by inspection: the query side is tested
// against these always, and against the real ones where they are present.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "model/generate/generator.h"
#include "model/hub/models.h"
#include "rag/index/store.h"
#include "rag/text/language.h"
#include "rag/text/words.h"

namespace frugal::testing {

constexpr size_t kFakeDimension = 256;

/// Counts of folded words, hashed into 256 places and scaled to unit length: texts that share words point alike.
inline std::vector<float> bag_of_words(std::string_view text) {
  std::vector<float> bag(kFakeDimension, 0.0f);
  for (const Word& word : split_words(text)) {
    const auto bytes = std::as_bytes(std::span(word.folded.data(), word.folded.size()));
    bag[checksum64(bytes) % kFakeDimension] += 1;
  }
  double squares = 0;
  for (const float value : bag) squares += double(value) * value;
  for (float& value : bag) value = static_cast<float>(value / std::sqrt(std::max(squares, 1e-9)));
  return bag;
}

/// A clock that stands still but for what the fakes say that their work takes.
class FakeClock {
 public:
  using Clock = std::chrono::steady_clock;
  void spend_ms(int ms) { now_ += std::chrono::milliseconds(ms); }
  double elapsed_ms() const { return std::chrono::duration<double, std::milli>(now_.time_since_epoch()).count(); }
  Clock::time_point now() const { return now_; }

 private:
  Clock::time_point now_{};
};

class FakeEmbedder : public Embedder {
 public:
  int64_t dimension() const override { return kFakeDimension; }
  int64_t max_tokens() const override { return 512; }
  const Tokenizer& tokenizer() const override { throw Error(Code::internal, "the fake has no tokenizer"); }
  std::string fingerprint() const override { return "bag-of-words"; }
  void embed(std::span<const std::string_view> texts, std::span<float> out) override {
    ++calls;
    if (clock) clock->spend_ms(kEmbedMs);
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    for (size_t i = 0; i < texts.size(); ++i) {
      const auto bag = bag_of_words(texts[i]);
      std::copy(bag.begin(), bag.end(), out.begin() + static_cast<std::ptrdiff_t>(i * kFakeDimension));
    }
  }
  std::vector<float> hidden_states(std::span<const TokenId>) override { return {}; }
  static constexpr int kEmbedMs = 20;
  int calls = 0;
  int delay_ms = 0;
  FakeClock* clock = nullptr;
};

/// Says what it was told to; a token is a word.
class FakeGenerator : public Generator {
 public:
  std::string identity() const override { return "fake"; }
  int64_t context_tokens() const override { return context; }
  int64_t count_tokens(std::span<const ChatMessage> messages) const override {
    int64_t words = 0;
    for (const ChatMessage& message : messages)
      words += 1 + std::count(message.content.begin(), message.content.end(), ' ');
    return words;
  }
  Generation chat(std::span<const ChatMessage> messages, const GenerateOptions&, const TokenSink& sink) override {
    ++calls;
    if (clock) clock->spend_ms(kChatMs);
    seen.assign(messages.begin(), messages.end());
    if (sink) sink(says);
    return {says, 0, 0, finish, 0, 0};
  }
  std::string says;
  Finish finish = Finish::stop;
  int64_t context = 4096;
  static constexpr int kChatMs = 300;
  int calls = 0;
  FakeClock* clock = nullptr;
  std::vector<ChatMessage> seen;
};

class FakeModels : public Models {
 public:
  std::shared_ptr<Embedder> embedder() override {
    ++embedder_opened;
    if (embedder_refused) throw Error(Code::over_budget, "no room").hint("it could run with 13MiB");
    return {std::shared_ptr<void>(), &fake_embedder};
  }
  std::shared_ptr<Generator> generator() override {
    ++generator_opened;
    return {std::shared_ptr<void>(), &fake_generator};
  }
  void tidy() override {
    if (fake_embedder.clock) fake_embedder.clock->spend_ms(kTidyMs);
  }
  static constexpr int kTidyMs = 5;
  void expect_embedder() override { embedder_opened_when_expected = embedder_opened; }
  int64_t generator_parameters() override { return parameters; }
  std::string identity() override { return "fakes"; }
  FakeEmbedder fake_embedder;
  FakeGenerator fake_generator;
  int64_t parameters = 0;
  int embedder_opened = 0, generator_opened = 0;
  std::optional<int> embedder_opened_when_expected;
  bool embedder_refused = false;
};

/// Word search scores the number of distinct question words a chunk holds; ties by id.
class FakeStore : public Store {
 public:
  Chunk& add(std::string path, std::string text, std::vector<Provision> references = {}) {
    Chunk chunk;
    chunk.id = static_cast<int64_t>(chunks_.size()) + 1;
    chunk.document = chunk.path = std::move(path);
    chunk.text = std::move(text);
    chunk.end_byte = chunk.text.size();
    chunk.line = 1;
    chunk.sha256 = sha256_hex(chunk.text);
    chunk.language = detect_language(chunk.text);
    chunk.references = std::move(references);
    chunks_.push_back(std::move(chunk));
    return chunks_.back();
  }

  StoreInfo info() const override {
    ++infos;
    StoreInfo info;
    info.documents = info.chunks = info.vectors = chunk_count();
    info.dimension = kFakeDimension;
    info.generation = store_generation;
    info.embedder_fingerprint = fingerprint;
    return info;
  }
  uint64_t generation() const override { return store_generation; }
  int64_t chunk_count() const override { return static_cast<int64_t>(chunks_.size()); }
  const std::string& embedder_fingerprint() const override { return fingerprint; }

  std::vector<ScoredChunk> search_sparse(const SparseQuery& query, int64_t limit) override {
    ++sparse_searches;
    if (clock) clock->spend_ms(kSearchMs);
    std::set<std::string> wanted;
    for (const Word& word : split_words(query.text))
      if (!is_stop_word(word.folded, detect_language(query.text))) wanted.insert(word.folded);
    return best(limit, [&](const Chunk& chunk) {
      std::set<std::string> held;
      for (const Word& word : split_words(chunk.title + " " + chunk.text))
        if (wanted.contains(word.folded)) held.insert(word.folded);
      return static_cast<float>(held.size());
    });
  }
  std::vector<ScoredChunk> search_dense(std::span<const float> query, int64_t limit) override {
    ++dense_searches;
    if (clock) clock->spend_ms(kSearchMs);
    return best(limit, [&](const Chunk& chunk) {
      const auto bag = bag_of_words(chunk.text);
      float dot = 0;
      for (size_t i = 0; i < bag.size(); ++i) dot += bag[i] * query[i];
      return dot;
    });
  }
  std::vector<ScoredChunk> search_provision(const Provision& reference, int64_t limit) override {
    return best(limit, [&](const Chunk& chunk) {
      float score = 0;
      for (const Provision& borne : chunk.references) {
        const bool law = reference.law.empty() || reference.law == borne.law;
        if (law && reference.article == borne.article) score = reference.paragraph == borne.paragraph ? 1.0f : 0.5f;
      }
      return score;
    });
  }
  std::vector<Chunk> fetch(std::span<const int64_t> ids) override {
    std::vector<Chunk> found;
    for (const int64_t id : ids)
      if (id >= 1 && id <= static_cast<int64_t>(chunks_.size()) && !lost.contains(id))
        found.push_back(chunks_[static_cast<size_t>(id - 1)]);
    return found;
  }

  std::set<int64_t> lost;  // found by searches, left out by fetch()
  std::string fingerprint = "bag-of-words";
  uint64_t store_generation = 1;
  static constexpr int kSearchMs = 7;
  int sparse_searches = 0, dense_searches = 0;
  FakeClock* clock = nullptr;
  mutable int infos = 0;

 private:
  std::vector<ScoredChunk> best(int64_t limit, const std::function<float(const Chunk&)>& score) const {
    std::vector<ScoredChunk> hits;
    for (const Chunk& chunk : chunks_)
      if (const float value = score(chunk); value > 0) hits.push_back({chunk.id, value});
    std::stable_sort(hits.begin(), hits.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    if (static_cast<int64_t>(hits.size()) > limit) hits.resize(static_cast<size_t>(limit));
    return hits;
  }
  std::vector<Chunk> chunks_;
};

}  // namespace frugal::testing
