#include "rag/cache/redis_cache.h"

#include "rag/cache/redis_scripts.h"

namespace frugal {
namespace {

constexpr uint64_t kMaxEntryReplyBytes = kMaxEntryBytes + 4096;
constexpr uint64_t kEntryOverhead = 256;  // what Redis needs beside the bytes, about

}  // namespace

RedisCache::RedisCache(std::shared_ptr<RedisClient> client, std::string name, ResultLimits limits, std::string version)
    : pool_(std::move(client), name, limits), name_(std::move(name)), version_(std::move(version)) {
  metric_registry().add(*this);
}

RedisCache::~RedisCache() {
  metric_registry().remove(*this);
}

void RedisCache::report(MetricSink& sink) const {
  const MetricLabels labels = {{"cache", "redis-" + name_}};
  const auto hits = static_cast<double>(hits_), lookups = static_cast<double>(lookups_);
  sink.counter("frugal_cache_lookups_total", "Lookups in a cache of results", lookups, labels);
  sink.ratio("frugal_cache_hit_ratio", "Share of lookups found in a cache of results", hits, lookups, labels);
}

std::optional<std::string> RedisCache::find(const std::string& hex) const {
  const auto value = pool_.run(redis::kFindBytes, hex, {}, {}, kMaxEntryReplyBytes);
  std::optional<std::string> content;
  if (value && value->kind == RedisValue::Kind::text) content = unwrap_entry(version_, value->text);
  ++lookups_;
  hits_ += content.has_value();
  return content;
}

void RedisCache::put(const std::string& hex, std::string_view content) const {
  std::string entry = wrap_entry(version_, content);
  if (entry.size() > std::min<uint64_t>(kMaxEntryBytes, pool_.limits().max_bytes / 4)) return;
  const std::string size = std::to_string(entry.size() + kEntryOverhead);
  pool_.run(redis::kPut, hex, {}, {size, std::to_string(pool_.limits().max_bytes), "", std::move(entry)}, 4096);
}

}  // namespace frugal
