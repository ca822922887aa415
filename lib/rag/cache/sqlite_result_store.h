// Results in one SQLite file of this machine (rag/cache/result_store.h).
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

#include "rag/cache/result_store.h"
#include "rag/database/sqlite.h"
#include "telemetry/metrics.h"

namespace frugal {

/// A file that is damaged, or no cache, is replaced by an empty one, with a warning. A file that cannot be written is
/// read; one that can be neither finds nothing. Thread-safe.
class SqliteResultStore final : public ResultStore, public MetricSource {
 public:
  /// Nothing is opened before the first use. `folder` is created for this user alone, the file has mode 0600.
  SqliteResultStore(std::filesystem::path folder, ResultLimits limits);
  ~SqliteResultStore() override;
  SqliteResultStore(const SqliteResultStore&) = delete;
  SqliteResultStore& operator=(const SqliteResultStore&) = delete;

  std::optional<StoredResult> find(std::string_view key) override;
  std::vector<StoredResult> find_similar(std::string_view scope, std::string_view signature, int64_t limit) override;
  void put(std::string_view key, std::string_view scope, std::string_view signature, std::string_view question,
           std::string_view body) override;
  void record_match(std::string_view key, std::string_view asked) override;
  /// Also frees the space on disk.
  void clear() override;
  ResultStats stats() override;
  int64_t for_each(const std::function<void(const StoredResult&)>& visit) override;
  std::vector<StoredMatch> matches() override;
  std::string place() const override { return path_.native(); }
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
