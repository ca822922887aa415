// Results of earlier processes in one SQLite file that any number of processes share: a body of bytes under a key, with
// the question that it answers. A cache: losing it costs time only, so no function throws because of the file. The
// store knows nothing of questions or answers beyond these bytes; rag/answer/answer_cache.h does.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rag/database/sqlite.h"
#include "telemetry/metrics.h"

namespace frugal {

struct ResultLimits {
  uint64_t max_bytes = uint64_t(64) << 20;  // of the file; the least recently used results are evicted
  int64_t max_age_s = 30 * 86'400;          // an older result is not found, and is deleted with the next write
};

struct StoredResult {
  int64_t id = 0;
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
  uint64_t file_bytes = 0;  // on disk, its log included
  int64_t oldest_s = 0;     // creation of the oldest result, since 1970; 0: none
};

/// A file that is damaged, or no cache, is replaced by an empty one, with a warning. A file that cannot be written is
/// read; one that can be neither finds nothing. Thread-safe.
class ResultStore : public MetricSource {
 public:
  /// Nothing is opened before the first use. `folder` is created for this user alone, the file has mode 0600.
  ResultStore(std::filesystem::path folder, ResultLimits limits);
  ~ResultStore() override;
  ResultStore(const ResultStore&) = delete;
  ResultStore& operator=(const ResultStore&) = delete;

  /// The result under a key, and marks it as used.
  std::optional<StoredResult> find(std::string_view key);
  /// Results of the same scope and signature, most recently used first.
  std::vector<StoredResult> find_similar(std::string_view scope, std::string_view signature, int64_t limit);
  void put(std::string_view key, std::string_view scope, std::string_view signature, std::string_view question,
           std::string_view body);
  /// Marks a result as used for another question.
  void record_match(int64_t id, std::string_view asked);

  /// Deletes everything, and the space that it took.
  void clear();
  ResultStats stats();
  /// All results that can be read, oldest first; damaged ones are deleted and counted.
  int64_t for_each(const std::function<void(const StoredResult&)>& visit);
  std::vector<StoredMatch> matches();
  const std::filesystem::path& path() const { return path_; }
  void report(MetricSink& sink) const override;

 private:
  using Use = std::function<void(Database&)>;
  void use(std::string_view doing, const Use& body);
  void open();
  void create_tables(Database& database);
  void replace_damaged();
  void mark_used(Database& database, const StoredResult& result);
  void make_room(Database& database);

  const std::filesystem::path folder_, path_;
  const ResultLimits limits_;
  std::mutex mutex_;
  std::optional<Database> database_;
  bool is_writable_ = false;
  uint64_t inode_ = 0;    // of the open file: another process may have replaced it
  std::string unusable_;  // why nothing can be opened; empty: not tried, or open
  std::atomic<int64_t> lookups_{0}, hits_{0};
};

}  // namespace frugal
