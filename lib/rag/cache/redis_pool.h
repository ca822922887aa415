// The entries of one kind in Redis, under keys that begin with frugal:1:, and the commands on them (redis_scripts.h).
// The number is the version of their form: another version of frugal with another form has keys of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rag/cache/redis_client.h"
#include "rag/cache/result_store.h"

namespace frugal {

inline constexpr std::string_view kRedisPrefix = "frugal:1:";

class RedisPool {
 public:
  /// `name`: "answer" has entries frugal:1:answer:MEMBER.
  RedisPool(std::shared_ptr<RedisClient> client, std::string_view name, ResultLimits limits);

  /// Runs a script of redis_scripts.h: `key` is KEYS[3] (empty: none), `arguments` follow the common ones.
  std::optional<RedisValue> run(std::string_view script, std::string_view member, std::string_view key,
                                std::vector<std::string> arguments, uint64_t max_bytes) const;
  RedisClient& client() const { return *client_; }
  const ResultLimits& limits() const { return limits_; }
  std::string entry(std::string_view member) const { return prefix_ + std::string(member); }
  const std::string& use_key() const { return use_; }
  const std::string& bytes_key() const { return bytes_; }
  const std::string& near_prefix() const { return near_; }

 private:
  std::shared_ptr<RedisClient> client_;
  std::string prefix_, use_, bytes_, near_;
  ResultLimits limits_;
};

}  // namespace frugal
