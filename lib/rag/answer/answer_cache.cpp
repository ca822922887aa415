#include "rag/answer/answer_cache.h"

#include <fmt/format.h>

#include <cstring>

#include "base/cpu.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "rag/cache/file_cache.h"
#include "rag/cache/sqlite_result_store.h"
#include "rag/reply/reply_json.h"

namespace frugal {
namespace {

// Must change with the stored form, and with any change of the code that makes stored answers wrong under the same key.
constexpr std::string_view kVersion = "frugal-answer/5";

constexpr int64_t kNeighbours = 8;

std::string hash_of(std::initializer_list<const std::string*> parts) {
  Sha256 hash;
  hash.update(kVersion);
  for (const std::string* part : parts) hash.update(fmt::format("\n{}:", part->size())).update(*part);
  return hash.hex();
}

std::optional<Reply> reply_of(const StoredResult& result) {
  try {
    return reply_from_json(result.body);
  } catch (const Error& error) {
    log(LogLevel::info, "cache: {}", error.message());
    return std::nullopt;
  }
}

}  // namespace

std::string CacheKey::hex() const {
  return hash_of({&question, &options, &index, &models});
}

std::string CacheKey::scope_hex() const {
  return hash_of({&options, &index, &models});
}

ResultLimits result_limits(const CacheOptions& options) {
  return {options.max_bytes, options.max_age_days * 86'400};
}

AnswerCache::AnswerCache(std::filesystem::path folder, const CacheOptions& options)
    : AnswerCache(std::make_unique<SqliteResultStore>(std::move(folder), result_limits(options)), options) {}

AnswerCache::AnswerCache(std::unique_ptr<ResultStore> results, const CacheOptions& options)
    : results_(std::move(results)), semantic_(options.semantic) {}

std::string AnswerCache::away() const {
  const std::string why = results_->away();
  return why.empty() ? why : fmt::format("{} is away: {}", results_->place(), why);
}

std::optional<Reply> AnswerCache::find(const CacheKey& key) const {
  const auto found = results_->find(key.hex());
  return found ? reply_of(*found) : std::nullopt;
}

void AnswerCache::put(const CacheKey& key, std::string_view signature, const Reply& reply) const {
  results_->put(key.hex(), key.scope_hex(), signature, key.question, reply_to_json(reply, ReplyDetail::stored));
}

std::vector<AnswerCache::Neighbour> AnswerCache::neighbours(const CacheKey& key, std::string_view signature) const {
  std::vector<Neighbour> found;
  std::vector<StoredResult> similar = results_->find_similar(key.scope_hex(), signature, kNeighbours);
  found.reserve(similar.size());
  for (StoredResult& result : similar)
    if (auto reply = reply_of(result))
      found.push_back({std::move(result.key), std::move(result.question), std::move(*reply)});
  return found;
}

void AnswerCache::record_match(std::string_view neighbour, std::string_view asked) const {
  results_->record_match(neighbour, asked);
}

QuestionVectorCache::QuestionVectorCache(std::filesystem::path folder, uint64_t max_bytes)
    : entries_(std::make_unique<FileCache>(std::move(folder), max_bytes, kVersion)) {}

QuestionVectorCache::QuestionVectorCache(std::unique_ptr<ByteCache> entries) : entries_(std::move(entries)) {}

// An entry is the vector, then the weights.
std::optional<TextEmbedding> QuestionVectorCache::find(const VectorKey& key) const {
  const auto bytes = entries_->find(key.hex());
  const uint64_t dense = static_cast<uint64_t>(key.dimension) * sizeof(float);
  if (!bytes || bytes->size() < dense || (bytes->size() - dense) % sizeof(TokenWeight) != 0) return std::nullopt;
  if (!key.has_weights && bytes->size() != dense) return std::nullopt;
  TextEmbedding embedding;
  embedding.dense.resize(static_cast<size_t>(key.dimension));
  std::memcpy(embedding.dense.data(), bytes->data(), dense);
  embedding.sparse.resize((bytes->size() - dense) / sizeof(TokenWeight));
  if (!embedding.sparse.empty()) std::memcpy(embedding.sparse.data(), bytes->data() + dense, bytes->size() - dense);
  return embedding;
}

void QuestionVectorCache::put(const VectorKey& key, const TextEmbedding& embedding) const {
  std::string bytes(reinterpret_cast<const char*>(embedding.dense.data()), embedding.dense.size() * sizeof(float));
  if (key.has_weights)
    bytes.append(reinterpret_cast<const char*>(embedding.sparse.data()), embedding.sparse.size() * sizeof(TokenWeight));
  entries_->put(key.hex(), bytes);
}

std::string VectorKey::hex() const {
  return sha256_hex(fmt::format("{} {}{}\n{}:{}\n{}", to_string(choose_isa()), dimension, has_weights ? " weights" : "",
                                embedder.size(), embedder, text));
}

}  // namespace frugal
