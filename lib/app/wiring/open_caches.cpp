#include "app/wiring/open_caches.h"

#include <fmt/format.h>

#include <cstdlib>

#include "app/config/paths.h"
#include "base/ascii.h"
#include "base/error.h"
#include "base/file.h"
#include "rag/cache/file_cache.h"
#include "rag/cache/redis_cache.h"
#include "rag/cache/redis_result_store.h"
#include "rag/cache/sqlite_result_store.h"

namespace frugal {
namespace {

constexpr uint64_t kMaxPasswordBytes = 4096;

// A flag would show it to everybody who lists processes, so that it comes from a file or the environment.
std::string password_of(const CacheOptions& options) {
  if (options.password_file.empty()) {
    const char* password = std::getenv("FRUGAL_REDIS_PASSWORD");
    return password ? password : "";
  }
  std::string password(trim(read_file(expand_home(options.password_file), kMaxPasswordBytes)));
  if (password.empty())
    throw Error(Code::bad_input, fmt::format("'{}' holds no password", options.password_file))
        .hint("write the password of the server into that file, or leave cache.password_file empty");
  return password;
}

Caches open_shared_caches(const CacheOptions& options, bool always_try) {
  RedisOptions redis;
  redis.place = parse_redis_place(options.url);
  if (std::string password = password_of(options); !password.empty()) redis.place.password = std::move(password);
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
