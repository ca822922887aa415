#include "rag/cache/redis_pool.h"

#include <fmt/format.h>

#include "rag/cache/redis_scripts.h"

namespace frugal {

RedisPool::RedisPool(std::shared_ptr<RedisClient> client, std::string_view name, ResultLimits limits)
    : client_(std::move(client)),
      prefix_(fmt::format("{}{}:", kRedisPrefix, name)),
      use_(fmt::format("{}{}-use", kRedisPrefix, name)),
      bytes_(fmt::format("{}{}-bytes", kRedisPrefix, name)),
      near_(fmt::format("{}{}-near:", kRedisPrefix, name)),
      limits_(limits) {}

std::optional<RedisValue> RedisPool::run(std::string_view script, std::string_view member, std::string_view key,
                                         std::vector<std::string> arguments, uint64_t max_bytes) const {
  RedisClient::Command command{"EVAL", fmt::format("{}{}", redis::kCommon, script), key.empty() ? "2" : "3", use_,
                               bytes_};
  if (!key.empty()) command.emplace_back(key);
  for (std::string_view each : {std::string_view(prefix_), member, std::string_view(near_)}) command.emplace_back(each);
  command.push_back(std::to_string(limits_.max_age_s));
  for (std::string& each : arguments) command.push_back(std::move(each));
  return client_->call(std::move(command), max_bytes);
}

}  // namespace frugal
