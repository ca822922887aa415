// Results in a server of the Redis protocol, shared by machines (rag/cache/result_store.h). What comes back is not
// trusted: it is bounded, of the right type and has the right checksum, or it is a miss. That finds damage, not malice:
// who may write to the server may write answers.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rag/cache/redis_pool.h"
#include "rag/cache/result_store.h"
#include "telemetry/metrics.h"

namespace frugal {

class RedisResultStore final : public ResultStore, public MetricSource {
 public:
  RedisResultStore(std::shared_ptr<RedisClient> client, ResultLimits limits);
  ~RedisResultStore() override;
  RedisResultStore(const RedisResultStore&) = delete;
  RedisResultStore& operator=(const RedisResultStore&) = delete;

  std::optional<StoredResult> find(std::string_view key) override;
  std::vector<StoredResult> find_similar(std::string_view scope, std::string_view signature, int64_t limit) override;
  void put(std::string_view key, std::string_view scope, std::string_view signature, std::string_view question,
           std::string_view body) override;
  void record_match(std::string_view key, std::string_view asked) override;
  /// Deletes every key that begins with frugal:1:, vectors of questions too, and no other.
  void clear() override;
  ResultStats stats() override;
  int64_t for_each(const std::function<void(const StoredResult&)>& visit) override;
  std::vector<StoredMatch> matches() override;
  std::string place() const override { return pool_.client().place(); }
  bool is_shared() const override { return true; }
  std::string away() const override { return pool_.client().away(); }
  void report(MetricSink& sink) const override;

 private:
  struct Head;  // of a result: its key, age and hits
  std::vector<Head> heads() const;

  RedisPool pool_;
  std::atomic<int64_t> lookups_{0}, hits_{0};
};

}  // namespace frugal
