// Results of earlier processes, which any number of processes share: a body of bytes under a key, with the question
// that it answers. A cache: losing it costs time only, so no function throws because of where it is kept. The store
// knows nothing of questions or answers beyond these bytes; rag/answer/answer_cache.h does. Every kind passes
// tests/rag/cache/result_store_conformance_test.cpp: one SQLite file (sqlite_result_store.h), a server of the Redis
// protocol (redis_result_store.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

struct ResultLimits {
  uint64_t max_bytes = uint64_t(64) << 20;  // of all results; the least recently used ones are evicted
  int64_t max_age_s = 30 * 86'400;          // an older result is not found, and is deleted with the next write
};

struct StoredResult {
  std::string key;
  std::string question;
  std::string body;
  int64_t created_s = 0, used_s = 0;  // since 1970
  int64_t hits = 0;
};

/// One time a result answered another question than its own.
struct StoredMatch {
  std::string asked, question;
  int64_t at_s = 0;
};

struct ResultStats {
  int64_t results = 0, matches = 0, hits = 0;
  uint64_t bytes = 0;    // that they take where they are kept
  int64_t oldest_s = 0;  // creation of the oldest result, since 1970; 0: none
};

/// Thread-safe.
class ResultStore {
 public:
  virtual ~ResultStore() = default;

  /// The result under a key, and marks it as used.
  virtual std::optional<StoredResult> find(std::string_view key) = 0;
  /// Results of the same scope and signature, most recently used first.
  virtual std::vector<StoredResult> find_similar(std::string_view scope, std::string_view signature, int64_t limit) = 0;
  /// Replaces the result under the key. One above 1 MiB or a quarter of the limit is not stored.
  virtual void put(std::string_view key, std::string_view scope, std::string_view signature, std::string_view question,
                   std::string_view body) = 0;
  /// Marks a result as used for another question. The last 1,000 are kept.
  virtual void record_match(std::string_view key, std::string_view asked) = 0;

  /// Deletes everything.
  virtual void clear() = 0;
  virtual ResultStats stats() = 0;
  /// All results that can be read, oldest first; damaged ones are deleted and counted.
  virtual int64_t for_each(const std::function<void(const StoredResult&)>& visit) = 0;
  /// Oldest first.
  virtual std::vector<StoredMatch> matches() = 0;

  /// A path, or an address without its password.
  virtual std::string place() const = 0;
  /// True if other machines have the same store, so that keys must not name what is of this machine alone.
  virtual bool is_shared() const { return false; }
  /// Why it cannot be reached now; empty: it can, as far as is known.
  virtual std::string away() const { return {}; }
};

inline constexpr size_t kMaxResultBytes = 1 << 20;
inline constexpr int64_t kMaxMatches = 1000;

/// Of what a result is, so that bytes that changed where they are kept are found.
int64_t checksum_of_result(std::string_view key, std::string_view question, std::string_view body);

}  // namespace frugal
