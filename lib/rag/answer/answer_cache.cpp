#include "rag/answer/answer_cache.h"

#include <fmt/format.h>

#include <cstring>

#include "base/cpu.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "rag/reply/reply_json.h"

namespace frugal {
namespace {

// Must change with the stored form, and with any change of the code that makes stored answers wrong under the same key.
constexpr std::string_view kVersion = "frugal-answer/4";

}  // namespace

std::string CacheKey::hex() const {
  Sha256 hash;
  hash.update(kVersion);
  for (const std::string* part : {&question, &options, &index, &models})
    hash.update(fmt::format("\n{}:", part->size())).update(*part);
  return hash.hex();
}

AnswerCache::AnswerCache(std::filesystem::path folder, uint64_t max_bytes)
    : files_(std::move(folder), max_bytes, std::string(kVersion)) {}

std::optional<Reply> AnswerCache::find(const CacheKey& key) const {
  const auto body = files_.find(key.hex());
  if (!body) return std::nullopt;
  try {
    return reply_from_json(*body);
  } catch (const Error& error) {
    log(LogLevel::info, "cache: {}", error.message());
    return std::nullopt;
  }
}

void AnswerCache::put(const CacheKey& key, const Reply& reply) const {
  files_.put(key.hex(), reply_to_json(reply, ReplyDetail::stored));
}

QuestionVectorCache::QuestionVectorCache(std::filesystem::path folder, uint64_t max_bytes)
    : files_(std::move(folder), max_bytes, "frugal-probe/1") {}

std::optional<std::vector<float>> QuestionVectorCache::find(const VectorKey& key) const {
  const auto bytes = files_.find(key.hex());
  if (!bytes || bytes->size() != static_cast<uint64_t>(key.dimension) * sizeof(float)) return std::nullopt;
  std::vector<float> vector(static_cast<size_t>(key.dimension));
  std::memcpy(vector.data(), bytes->data(), bytes->size());
  return vector;
}

void QuestionVectorCache::put(const VectorKey& key, std::span<const float> vector) const {
  files_.put(key.hex(), {reinterpret_cast<const char*>(vector.data()), vector.size_bytes()});
}

std::string VectorKey::hex() const {
  return sha256_hex(
      fmt::format("{} {}\n{}:{}\n{}", to_string(choose_isa()), dimension, embedder.size(), embedder, text));
}

}  // namespace frugal
