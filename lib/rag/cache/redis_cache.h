// Small entries (byte_cache.h) in a server of the Redis protocol, shared by machines.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "rag/cache/byte_cache.h"
#include "rag/cache/redis_pool.h"
#include "telemetry/metrics.h"

namespace frugal {

class RedisCache final : public ByteCache, public MetricSource {
 public:
  /// Entries are frugal:1:NAME:HEX. `version`: as for FileCache.
  RedisCache(std::shared_ptr<RedisClient> client, std::string name, ResultLimits limits, std::string version);
  ~RedisCache() override;
  RedisCache(const RedisCache&) = delete;
  RedisCache& operator=(const RedisCache&) = delete;

  std::optional<std::string> find(const std::string& hex) const override;
  void put(const std::string& hex, std::string_view content) const override;
  void report(MetricSink& sink) const override;

 private:
  RedisPool pool_;
  std::string name_, version_;
  mutable std::atomic<int64_t> lookups_{0}, hits_{0};
};

}  // namespace frugal
