// Answers given before: the same question of the same index with the same models and options; and questions embedded
// before. One small file each (file_cache.h).
// A cache and nothing more: losing it, or any file of it, costs time only; it never fails a query.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "rag/answer/query.h"
#include "rag/cache/file_cache.h"

namespace frugal {

/// What is kept of earlier questions: answers, and the vectors of questions.
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

/// Everything an answer depends on. The index is its folder, generation and embedder; the models are their packs'
/// identities.
struct CacheKey {
  std::string question;  // its white space made single, nothing else: case and accents may carry meaning
  std::string options;
  std::string index;
  std::string models;
  /// SHA-256 over the parts (each with its length) and the version of the stored form.
  std::string hex() const;
};

class AnswerCache {
 public:
  AnswerCache(std::filesystem::path folder, uint64_t max_bytes);

  /// The reply as it was stored, without timings and memory; nullopt if there is none or it cannot be used.
  std::optional<Reply> find(const CacheKey& key) const;
  /// Stores a reply. A failure (read-only folder, full disk) is logged and otherwise ignored.
  void put(const CacheKey& key, const Reply& reply) const;

 private:
  FileCache files_;
};

/// What a question's vector depends on on the native backend, besides the instruction set.
struct VectorKey {
  std::string embedder;  // its fingerprint
  std::string text;
  int64_t dimension = 0;
  std::string hex() const;
};

/// Vectors of texts that were embedded before.
class QuestionVectors {
 public:
  virtual ~QuestionVectors() = default;
  virtual std::optional<std::vector<float>> find(const VectorKey& key) const = 0;
  virtual void put(const VectorKey& key, std::span<const float> vector) const = 0;
};

/// Vectors of questions, kept in files: what spares a question the embedder where its answer is not known, because the
/// index, an option or the generator changed. Not for plugins' backends, whose vectors may differ in their last bits.
class ProbeCache : public QuestionVectors {
 public:
  ProbeCache(std::filesystem::path folder, uint64_t max_bytes);
  std::optional<std::vector<float>> find(const VectorKey& key) const override;
  void put(const VectorKey& key, std::span<const float> vector) const override;

 private:
  FileCache files_;
};

}  // namespace frugal
