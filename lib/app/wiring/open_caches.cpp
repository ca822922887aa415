#include "app/wiring/open_caches.h"

#include "app/config/paths.h"
#include "app/wiring/secret.h"
#include "rag/cache/file_cache.h"
#include "rag/cache/redis_cache.h"
#include "rag/cache/redis_result_store.h"
#include "rag/cache/sqlite_result_store.h"

namespace frugal {
namespace {

Caches open_shared_caches(const CacheOptions& options, bool always_try) {
  RedisOptions redis;
  redis.place = parse_redis_place(options.url);
  if (std::string password = read_secret(options.password_file, "FRUGAL_REDIS_PASSWORD", "cache.password_file");
      !password.empty())
    redis.place.password = std::move(password);
  redis.timeout_ms = options.timeout_ms;
  if (const auto folder = cache_home()) redis.folder = *folder;
  redis.always_try = always_try;
  const auto client = std::make_shared<RedisClient>(std::move(redis));
  ResultLimits of_vectors = result_limits(options);
  of_vectors.max_bytes /= 4;
  return {std::make_unique<RedisResultStore>(client, result_limits(options)),
          std::make_unique<RedisCache>(client, "vector", of_vectors, QuestionVectorCache::kVersion)};
}

}  // namespace

Caches open_caches(const CacheOptions& options, bool always_try) {
  if (!options.url.empty()) return open_shared_caches(options, always_try);
  const auto folder = cache_home();
  if (!folder) return {};
  return {std::make_unique<SqliteResultStore>(*folder, result_limits(options)),
          std::make_unique<FileCache>(*folder / "probes", options.max_bytes / 4, QuestionVectorCache::kVersion)};
}

}  // namespace frugal
