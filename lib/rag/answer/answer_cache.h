// Caches of answers (rag/cache/result_store.h) and of question vectors (rag/cache/byte_cache.h), shared by processes
// or, on a server, by machines. An answer is found again for the same question, index, models and options; those of
// other questions with the same rest are its neighbours, among which the guard decides (stages/match_stage.cpp). Losing
// a cache or any part of it costs time only; no question fails because of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"
#include "model/nn/embedder.h"
#include "rag/cache/byte_cache.h"
#include "rag/cache/result_store.h"
#include "rag/reply/reply.h"

namespace frugal {

/// Options of both caches.
struct CacheOptions {
  bool enabled = true;
  bool semantic = true;
  uint64_t max_bytes = uint64_t(64) << 20;
  int64_t max_age_days = 30;
  std::string url, password_file;
  int64_t timeout_ms = 250;

  template <typename F>
  void visit(F&& f) {
    f("cache.enabled", enabled, {"keep answers, and vectors of questions, on disk for the next time"});
    f("cache.semantic", semantic, {"answer also from the cached answer of another question that asks the same"});
    f("cache.max_age_days", max_age_days, {"days after which a cached answer is made again", Range{1, 36500}});
    f("cache.max_bytes", max_bytes,
      {"maximum bytes on disk, also written like 64MiB; the least recently used entries are evicted", {}, Unit::bytes});
    f("cache.url", url,
      {"server that keeps answers and vectors of questions for several machines, Redis or Valkey: "
       "redis://[user@]host[:port][/database] or unix:PATH; empty: files of this machine",
       {},
       {},
       true});
    f("cache.password_file", password_file,
      {"file with the password of that server; empty: $FRUGAL_REDIS_PASSWORD, or none", {}, {}, true});
    f("cache.timeout_ms", timeout_ms,
      {"milliseconds that a call of that server may take; one that takes longer is not asked again for a minute",
       Range{1, 60'000}});
  }
};

/// Everything that an answer depends on.
struct CacheKey {
  std::string question;  // with single spaces, otherwise as written: case and accents may carry meaning
  std::string options;   // PipelineOptions::key(), and the stages that run
  std::string index;     // its folder and generation or its contents, number of chunks and embedder
  std::string models;    // the identities of their packs, with their files or without
  /// SHA-256 of the parts, each with its length, and of the version of the stored form.
  std::string hex() const;
  /// The same without the question: only answers of one scope are neighbours.
  std::string scope_hex() const;
};

class AnswerCache {
 public:
  /// Keeps its file in `folder`.
  AnswerCache(std::filesystem::path folder, const CacheOptions& options);
  AnswerCache(std::unique_ptr<ResultStore> results, const CacheOptions& options);

  /// The stored reply, which has no timings and no memory figures; nullopt if there is none or it is damaged.
  std::optional<Reply> find(const CacheKey& key) const;
  /// Stores a reply, with the signature of its question (QuestionForm). A failure (read-only folder, full disk) is
  /// logged and otherwise ignored.
  void put(const CacheKey& key, std::string_view signature, const Reply& reply) const;

  struct Neighbour {
    std::string key;
    std::string question;
    Reply reply;
  };
  /// Answers under the same key except for the question, with this signature; a few, most recently used first.
  std::vector<Neighbour> neighbours(const CacheKey& key, std::string_view signature) const;
  /// Notes that a neighbour answered another question, for the audit.
  void record_match(std::string_view neighbour, std::string_view asked) const;
  bool is_semantic() const { return semantic_; }
  /// True if other machines have the same answers: keys then name an index and models by their contents.
  bool is_shared() const { return results_->is_shared(); }
  /// Where the answers are and why they cannot be reached now; empty: they can, as far as is known.
  std::string away() const;

 private:
  std::unique_ptr<ResultStore> results_;
  bool semantic_;
};

/// The limits of the store from the options.
ResultLimits result_limits(const CacheOptions& options);

/// Everything that the vector of a text depends on, except the instruction set in use, which hex() adds.
struct VectorKey {
  std::string embedder;  // its fingerprint
  std::string text;
  int64_t dimension = 0;
  bool has_weights = false;  // with the weights of its tokens
  /// SHA-256 of the fields and of the instruction set.
  std::string hex() const;
};

/// Vectors of texts that were embedded earlier: [key.dimension], unit length, and token weights if the key has them.
/// Not the vectors of tokens.
class QuestionVectors {
 public:
  virtual ~QuestionVectors() = default;
  virtual std::optional<TextEmbedding> find(const VectorKey& key) const = 0;
  virtual void put(const VectorKey& key, const TextEmbedding& embedding) const = 0;
};

/// Question vectors as entries of a cache. A question whose answer is not cached, because the index, an option or the
/// generator has changed, is searched without running the embedder. For the native backend only: the vectors of a
/// plugin may differ in their last bits.
class QuestionVectorCache : public QuestionVectors {
 public:
  /// The version of the entries, for the cache that keeps them.
  static constexpr const char* kVersion = "frugal-probe/1";

  /// Files in `folder`.
  QuestionVectorCache(std::filesystem::path folder, uint64_t max_bytes);
  explicit QuestionVectorCache(std::unique_ptr<ByteCache> entries);
  std::optional<TextEmbedding> find(const VectorKey& key) const override;
  void put(const VectorKey& key, const TextEmbedding& embedding) const override;

 private:
  std::unique_ptr<ByteCache> entries_;
};

}  // namespace frugal
