#include "rag/index/embed_chunks.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>
#include <vector>

#include "base/hash.h"

namespace frugal {
namespace {

constexpr size_t kKeyBytes = 16;  // of SHA-256: 128 bits exclude accidental collisions
// Chunks are sorted by length within a window, so that a batch wastes little on padding. Memory holds one window.
constexpr int64_t kWindowChunks = 1024;
// Each batch is committed: a kill loses about two seconds of work.
constexpr size_t kBatchChunks = 128;

struct PendingText {
  int64_t chunk = 0;
  std::string key;
  std::string text;
};

std::vector<PendingText> next_window(StoreWriter& store, int64_t after) {
  std::vector<PendingText> window;
  for (PendingChunk& chunk : store.pending_chunks(after, kWindowChunks))
    window.push_back({chunk.id, std::move(chunk.vector_key), embedding_text(chunk.title, chunk.text)});
  return window;
}

void put_vectors(StoreWriter& store, Embedder& embedder, std::span<const std::string_view> keys,
                 std::span<const std::string_view> texts) {
  if (store.keeps_weights()) {
    const std::vector<TextEmbedding> all = embedder.embed_all(texts, TextRole::passage, TokenOutputs::weights);
    for (size_t i = 0; i < keys.size(); ++i) store.put_vector(keys[i], all[i].dense, all[i].sparse);
    return;
  }
  const auto dimension = static_cast<size_t>(embedder.dimension());
  std::vector<float> vectors(texts.size() * dimension);
  embedder.embed(texts, TextRole::passage, vectors);
  for (size_t i = 0; i < keys.size(); ++i)
    store.put_vector(keys[i], std::span(vectors).subspan(i * dimension, dimension));
}

/// Embeds each distinct text that has no vector yet. Returns their number.
int64_t embed_batch(StoreWriter& store, Embedder& embedder, std::span<const PendingText> batch) {
  std::set<std::string_view> seen;
  std::vector<std::string_view> keys, texts;
  for (const PendingText& chunk : batch) {
    if (!seen.insert(chunk.key).second || store.has_vector(chunk.key)) continue;
    keys.push_back(chunk.key);
    texts.push_back(chunk.text);
  }
  if (!texts.empty()) put_vectors(store, embedder, keys, texts);
  for (const PendingText& chunk : batch) store.attach_vector(chunk.chunk);
  store.commit();
  return static_cast<int64_t>(keys.size());
}

}  // namespace

std::string embedding_text(std::string_view title, std::string_view text) {
  return title.empty() || text.starts_with(title) ? std::string(text) : fmt::format("{}\n{}", title, text);
}

std::string vector_key(std::string_view embedding_text) {
  Sha256 hash;
  const auto digest = hash.update(embedding_text).digest();
  return std::string(reinterpret_cast<const char*>(digest.data()), kKeyBytes);
}

int64_t embed_chunks(StoreWriter& store, Embedder& embedder, const std::function<void(int64_t)>& progress) {
  int64_t done = 0, computed = 0, last = 0;
  for (std::vector<PendingText> window = next_window(store, last); !window.empty(); window = next_window(store, last)) {
    last = window.back().chunk;
    std::sort(window.begin(), window.end(),
              [](const PendingText& a, const PendingText& b) { return a.text.size() > b.text.size(); });
    for (size_t begin = 0; begin < window.size(); begin += kBatchChunks) {
      const auto batch = std::span(window).subspan(begin, std::min(kBatchChunks, window.size() - begin));
      computed += embed_batch(store, embedder, batch);
      done += static_cast<int64_t>(batch.size());
      progress(done);
    }
  }
  return computed;
}

}  // namespace frugal
