// Caches on disk of answers and of question vectors, shared by processes: one small file per entry
// (rag/cache/file_cache.h). An answer is found again for the same question, index, models and options, a vector for the
// same text and embedder. Losing a cache or any file of it costs time only; no question fails because of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "rag/cache/file_cache.h"
#include "rag/reply/reply.h"

namespace frugal {

/// Options of both caches.
struct CacheOptions {
  bool enabled = true;
  uint64_t max_bytes = uint64_t(64) << 20;

  template <typename F>
  void visit(F&& f) {
    f("cache.enabled", enabled, {"keep answers, and vectors of questions, on disk for the next time"});
    f("cache.max_bytes", max_bytes,
      {"maximum bytes on disk, also written like 64MiB; the least recently used entries are evicted", {}, Unit::bytes});
  }
};

/// Everything that an answer depends on.
struct CacheKey {
  std::string question;  // with single spaces, otherwise as written: case and accents may carry meaning
  std::string options;   // PipelineOptions::key(), and the stages that run
  std::string index;     // its folder, generation, number of chunks and embedder
  std::string models;    // the identities of their packs
  /// SHA-256 of the parts, each with its length, and of the version of the stored form.
  std::string hex() const;
};

class AnswerCache {
 public:
  AnswerCache(std::filesystem::path folder, uint64_t max_bytes);

  /// The stored reply, which has no timings and no memory figures; nullopt if there is none or its file is damaged.
  std::optional<Reply> find(const CacheKey& key) const;
  /// Stores a reply. A failure (read-only folder, full disk) is logged and otherwise ignored.
  void put(const CacheKey& key, const Reply& reply) const;

 private:
  FileCache files_;
};

/// Everything that the vector of a text depends on, except the instruction set in use, which hex() adds.
struct VectorKey {
  std::string embedder;  // its fingerprint
  std::string text;
  int64_t dimension = 0;
  /// SHA-256 of the fields and of the instruction set.
  std::string hex() const;
};

/// Vectors of texts that were embedded earlier: [key.dimension], unit length.
class QuestionVectors {
 public:
  virtual ~QuestionVectors() = default;
  virtual std::optional<std::vector<float>> find(const VectorKey& key) const = 0;
  virtual void put(const VectorKey& key, std::span<const float> vector) const = 0;
};

/// Question vectors in files. A question whose answer is not cached, because the index, an option or the generator has
/// changed, is searched without running the embedder. For the native backend only: the vectors of a plugin may differ
/// in their last bits.
class QuestionVectorCache : public QuestionVectors {
 public:
  QuestionVectorCache(std::filesystem::path folder, uint64_t max_bytes);
  std::optional<std::vector<float>> find(const VectorKey& key) const override;
  void put(const VectorKey& key, std::span<const float> vector) const override;

 private:
  FileCache files_;
};

}  // namespace frugal
