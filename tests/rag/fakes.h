// An index, an embedder, a reader and a generator in memory, simple enough to verify by reading. The stages of a
// question are always tested with these, and with real models where they have been fetched.
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
#include "model/nn/reader.h"
#include "rag/memory_store.h"
#include "rag/text/language.h"
#include "rag/text/words.h"

namespace frugal::testing {

constexpr size_t kFakeDimension = 256;

/// Counts of folded words, hashed into 256 dimensions and scaled to unit length: texts that share words are similar.
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

/// A clock that advances only by the time that the fakes charge for their work.
class FakeClock {
 public:
  using Clock = std::chrono::steady_clock;
  void spend_ms(int ms) { now_ += std::chrono::milliseconds(ms); }
  double elapsed_ms() const { return std::chrono::duration<double, std::milli>(now_.time_since_epoch()).count(); }
  Clock::time_point now() const { return now_; }

 private:
  Clock::time_point now_{};
};

/// A weight for each folded word, its length: a token is the hash of the word.
inline std::vector<TokenWeight> word_weights(std::string_view text) {
  std::map<TokenId, float> weights;
  for (const Word& word : split_words(text)) {
    const auto bytes = std::as_bytes(std::span(word.folded.data(), word.folded.size()));
    weights[static_cast<TokenId>(checksum64(bytes) % 1'000'000)] = static_cast<float>(word.folded.size());
  }
  std::vector<TokenWeight> result;
  for (const auto& [token, weight] : weights) result.push_back({token, weight});
  return result;
}

/// With has_heads it gives word_weights(), and for each word the bag of it alone.
class FakeEmbedder : public Embedder {
 public:
  int64_t dimension() const override { return kFakeDimension; }
  int64_t max_tokens() const override { return 512; }
  const Tokenizer& tokenizer() const override { throw Error(Code::internal, "the fake has no tokenizer"); }
  std::string fingerprint() const override { return "bag-of-words"; }
  void embed(std::span<const std::string_view> texts, TextRole, std::span<float> out) override {
    ++calls;
    if (clock) clock->spend_ms(kEmbedMs);
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    for (size_t i = 0; i < texts.size(); ++i) {
      const auto bag = bag_of_words(texts[i]);
      std::copy(bag.begin(), bag.end(), out.begin() + static_cast<std::ptrdiff_t>(i * kFakeDimension));
    }
  }
  bool has_sparse() const override { return has_heads; }
  int64_t token_dimension() const override { return has_heads ? int64_t(kFakeDimension) : 0; }
  std::vector<TextEmbedding> embed_all(std::span<const std::string_view> texts, TextRole role,
                                       TokenOutputs wanted) override {
    std::vector<TextEmbedding> all = Embedder::embed_all(texts, role, wanted);
    for (size_t i = 0; has_heads && i < texts.size(); ++i) {
      all[i].sparse = word_weights(texts[i]);
      if (wanted == TokenOutputs::weights) continue;
      for (const Word& word : split_words(texts[i]))
        for (const float value : bag_of_words(word.folded)) all[i].token_vectors.push_back(value);
    }
    return all;
  }
  std::vector<float> hidden_states(std::span<const TokenId>) override { return {}; }
  static constexpr int kEmbedMs = 20;
  bool has_heads = false;
  int calls = 0;
  int delay_ms = 0;
  FakeClock* clock = nullptr;
};

/// Writes the text that a test sets, until the sink wants no more; a token is a word.
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
    Generation written;
    written.finish = finish;
    while (written.text.size() < says.size()) {
      const size_t begin = written.text.size();
      const std::string token = says.substr(begin, says.find(' ', begin + 1) - begin);
      written.text += token;
      ++written.new_tokens;
      if (!sink || sink(token)) continue;
      written.finish = Finish::cancelled;
      break;
    }
    return written;
  }
  std::string says;
  Finish finish = Finish::stop;
  int64_t context = 4096;
  static constexpr int kChatMs = 300;
  int calls = 0;
  FakeClock* clock = nullptr;
  std::vector<ChatMessage> seen;
};

/// Words are its tokens, and numbers its answers. A passage's relevance is the number of words that it shares with the
/// question. The first half of the layers counts words of more than four letters alone, so that its order can differ.
class FakeReader : public Reader {
 public:
  std::string identity() const override { return "fake reader"; }
  const Tokenizer& tokenizer() const override { throw Error(Code::internal, "no tokenizer"); }
  int64_t max_tokens() const override { return 256; }
  bool finds_answers() const override { return !only_ranks; }
  ReaderPair pair(std::string_view question, std::string_view passage) const override {
    ReaderPair pair;
    for (const Word& word : split_words(question)) pair.ids.push_back(id_of(word.folded));
    pair.passage = pair.ids.size();
    for (const Word& word : split_words(passage)) {
      pair.pieces.push_back({id_of(word.folded), word.begin, word.end});
      pair.ids.push_back(pair.pieces.back().id);
    }
    return pair;
  }
  std::vector<HalfRead> read_half(std::span<const ReaderPair> pairs) override {
    std::vector<HalfRead> halves;
    for (const ReaderPair& pair : pairs) {
      HalfRead half{shared(pair, kLongWords), pair.passage, pair.pieces.size(), {}};
      half.states.push_back(shared(pair, 0));
      for (const Tokenizer::Piece& piece : pair.pieces) half.states.push_back(piece.id & kNumbers ? 5.0f : 0.0f);
      halves.push_back(std::move(half));
      spend();
    }
    ranked += pairs.size();
    return halves;
  }
  std::vector<Reading> read_rest(std::span<const HalfRead* const> halves) override {
    std::vector<Reading> readings;
    for (const HalfRead* half : halves) {
      const std::vector<float> answers(half->states.begin() + 1, half->states.end());
      readings.push_back({half->states.front(), 0, 0, answers, answers});
      spend();
    }
    read += halves.size();
    return readings;
  }
  float confidence(const ConfidenceFeatures& features) const override { return features.coverage; }
  static constexpr int kPairMs = 10;
  size_t ranked = 0, read = 0;
  bool only_ranks = false;
  FakeClock* clock = nullptr;

 private:
  static constexpr TokenId kLongWords = 1 << 20, kNumbers = 1 << 21;
  static TokenId id_of(std::string_view word) {
    const auto hash = static_cast<TokenId>(checksum64(std::as_bytes(std::span(word))) % kLongWords);
    const bool is_number = word.find_first_of("0123456789") != word.npos;
    return hash | (word.size() > 4 ? kLongWords : 0) | (is_number ? kNumbers : 0);
  }
  static float shared(const ReaderPair& pair, TokenId kind) {
    const auto question = std::span(pair.ids).first(pair.passage);
    return static_cast<float>(std::count_if(question.begin(), question.end(), [&](TokenId id) {
      return (id & kind) == kind && std::find(pair.ids.begin() + static_cast<std::ptrdiff_t>(pair.passage),
                                              pair.ids.end(), id) != pair.ids.end();
    }));
  }
  void spend() {
    if (clock) clock->spend_ms(kPairMs);
  }
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
    if (generator_damaged) throw Error(Code::corrupt_file, "pack 'fake': damaged");
    return {std::shared_ptr<void>(), &fake_generator};
  }
  bool has_reader() const override { return fake_reader.has_value(); }
  std::shared_ptr<Reader> reader() override { return {std::shared_ptr<void>(), &*fake_reader}; }
  void unload_idle() override {
    if (fake_embedder.clock) fake_embedder.clock->spend_ms(kUnloadIdleMs);
  }
  static constexpr int kUnloadIdleMs = 5;
  void prefetch_embedder() override { embedder_opened_when_expected = embedder_opened; }
  GeneratorSize generator_size(int64_t min_parameters) override {
    if (parameters == 0) return GeneratorSize::none;
    return parameters >= min_parameters ? GeneratorSize::sufficient : GeneratorSize::small;
  }
  std::string identity() override { return "fakes"; }
  FakeEmbedder fake_embedder;
  FakeGenerator fake_generator;
  std::optional<FakeReader> fake_reader;
  int64_t parameters = 0;
  int embedder_opened = 0, generator_opened = 0;
  std::optional<int> embedder_opened_when_expected;
  bool embedder_refused = false, generator_damaged = false;
};

/// A store of chunks that a test adds one by one. Each is a document of its own, with its bag of words as its vector.
/// The store counts its searches, and can report another generation or embedder.
class FakeStore : public MemoryStore {
 public:
  FakeStore() : FakeStore(std::make_shared<MemoryGeneration>()) {}

  Chunk& add(std::string path, std::string text, std::vector<Provision> references = {}) {
    const int64_t id = ++chunks_->last_id;
    MemoryChunk& added = chunks_->chunks[id];
    added.document = id;
    added.vector_key = text;
    added.has_vector = true;
    chunks_->documents[id] = {id, path, "", ""};
    chunks_->vectors[text] = bag_of_words(text);
    for (const TokenWeight& each : word_weights(text)) chunks_->weights[text][each.token] = each.weight;
    Chunk& chunk = added.chunk;
    chunk.id = id;
    chunk.document = chunk.path = std::move(path);
    chunk.text = std::move(text);
    chunk.end_byte = chunk.text.size();
    chunk.line = 1;
    chunk.sha256 = sha256_hex(chunk.text);
    chunk.language = detect_language(chunk.text);
    chunk.references = std::move(references);
    return chunk;
  }

  StoreInfo info() const override {
    ++infos;
    return MemoryStore::info();
  }
  uint64_t generation() const override { return store_generation; }
  const std::string& embedder_fingerprint() const override { return fingerprint; }
  std::vector<ScoredChunk> search_sparse(const SparseQuery& query, int64_t limit) override {
    ++sparse_searches;
    if (clock) clock->spend_ms(kSearchMs);
    return MemoryStore::search_sparse(query, limit);
  }
  std::vector<ScoredChunk> search_dense(std::span<const float> query, int64_t limit,
                                        const ChunkSet* within = nullptr) override {
    ++dense_searches;
    if (clock) clock->spend_ms(kSearchMs);
    return MemoryStore::search_dense(query, limit, within);
  }
  std::vector<Chunk> fetch(std::span<const int64_t> ids) override {
    std::vector<int64_t> held(ids.begin(), ids.end());
    std::erase_if(held, [&](int64_t id) { return lost.contains(id); });
    return MemoryStore::fetch(held);
  }

  bool has_weights() const override { return with_weights; }

  bool with_weights = false;  // search_learned() is to be used
  std::set<int64_t> lost;     // chunks that searches find and fetch() does not
  std::string fingerprint = "bag-of-words";
  uint64_t store_generation = 1;
  static constexpr int kSearchMs = 7;
  int sparse_searches = 0, dense_searches = 0;
  FakeClock* clock = nullptr;
  mutable int infos = 0;

 private:
  explicit FakeStore(std::shared_ptr<MemoryGeneration> chunks) : MemoryStore(chunks), chunks_(std::move(chunks)) {
    chunks_->dimension = kFakeDimension;
  }
  std::shared_ptr<MemoryGeneration> chunks_;
};

}  // namespace frugal::testing
