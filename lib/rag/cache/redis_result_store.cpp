#include "rag/cache/redis_result_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <tuple>

#include "base/hash.h"
#include "rag/cache/redis_scripts.h"

namespace frugal {
namespace {

constexpr uint64_t kSmallReplyBytes = 64 << 10;
constexpr uint64_t kMaxQuestionBytes = 64 << 10;
constexpr uint64_t kMaxReplyBytes = kMaxResultBytes + 2 * kMaxQuestionBytes;
constexpr uint64_t kMaxNeighbourBytes = 4 * kMaxResultBytes;
constexpr uint64_t kResultOverhead = 768;  // what Redis needs beside the bytes, about
constexpr int64_t kHeadsAtOnce = 512, kBodiesAtOnce = 8;
constexpr int64_t kMaxHeads = 1 << 20;
constexpr auto kMaxClearTime = std::chrono::seconds(30);  // a server may never end a SCAN

const std::string kMatches = std::string(kRedisPrefix) + "matches";

/// The fields of kFind, of `key`; nullopt if they are not those that were stored.
std::optional<StoredResult> result_of(const RedisValue& value, std::string key) {
  if (value.kind != RedisValue::Kind::array || value.items.size() < 6) return std::nullopt;
  const std::vector<RedisValue>& fields = value.items;
  StoredResult result{std::move(key),     fields[0].text,     fields[1].text,
                      fields[3].number(), fields[4].number(), fields[5].number()};
  if (checksum_of_result(result.key, result.question, result.body) != fields[2].number()) return std::nullopt;
  return result;
}

std::string near_of(std::string_view scope, std::string_view signature) {
  return sha256_hex(fmt::format("{}:{}\n{}", scope.size(), scope, signature));
}

// "SECONDS:BYTES:asked" and the question, as kRecordMatch writes it.
std::optional<StoredMatch> match_of(std::string_view text) {
  StoredMatch match;
  uint64_t bytes = 0;
  const char* const end = text.data() + text.size();
  const auto [colon, bad_time] = std::from_chars(text.data(), end, match.at_s);
  if (bad_time != std::errc() || colon == end || *colon != ':') return std::nullopt;
  const auto [begin, bad_size] = std::from_chars(colon + 1, end, bytes);
  if (bad_size != std::errc() || begin == end || *begin != ':') return std::nullopt;
  const std::string_view rest(begin + 1, static_cast<size_t>(end - begin - 1));
  if (bytes > rest.size()) return std::nullopt;
  match.asked = rest.substr(0, bytes);
  match.question = rest.substr(bytes);
  return match;
}

}  // namespace

struct RedisResultStore::Head {
  std::string key;
  int64_t created_s = 0, hits = 0;
};

RedisResultStore::RedisResultStore(std::shared_ptr<RedisClient> client, ResultLimits limits)
    : pool_(std::move(client), "answer", limits) {
  metric_registry().add(*this);
}

RedisResultStore::~RedisResultStore() {
  metric_registry().remove(*this);
}

void RedisResultStore::report(MetricSink& sink) const {
  const MetricLabels labels = {{"cache", "redis-answers"}};
  const auto hits = static_cast<double>(hits_), lookups = static_cast<double>(lookups_);
  sink.counter("frugal_cache_lookups_total", "Lookups in a cache of results", lookups, labels);
  sink.ratio("frugal_cache_hit_ratio", "Share of lookups found in a cache of results", hits, lookups, labels);
}

std::optional<StoredResult> RedisResultStore::find(std::string_view key) {
  const auto value = pool_.run(redis::kFind, key, {}, {}, kMaxReplyBytes);
  auto found = value ? result_of(*value, std::string(key)) : std::nullopt;
  ++lookups_;
  hits_ += found.has_value();
  return found;
}

std::vector<StoredResult> RedisResultStore::find_similar(std::string_view scope, std::string_view signature,
                                                         int64_t limit) {
  std::vector<StoredResult> found;
  const auto value =
      pool_.run(redis::kFindSimilar, {}, pool_.near_prefix() + near_of(scope, signature),
                {std::to_string(limit), std::to_string(kMaxNeighbourBytes)}, kMaxNeighbourBytes + kMaxReplyBytes);
  if (!value) return found;
  for (const RedisValue& item : value->items)
    if (item.items.size() == 8 && static_cast<int64_t>(found.size()) < limit)
      if (auto result = result_of(item, item.items[7].text)) found.push_back(std::move(*result));
  return found;
}

void RedisResultStore::put(std::string_view key, std::string_view scope, std::string_view signature,
                           std::string_view question, std::string_view body) {
  const ResultLimits& limits = pool_.limits();
  if (body.size() > std::min<uint64_t>(kMaxResultBytes, limits.max_bytes / 4) || question.size() > kMaxQuestionBytes)
    return;
  pool_.run(redis::kPut, key, {},
            {std::to_string(body.size() + question.size() + kResultOverhead), std::to_string(limits.max_bytes),
             near_of(scope, signature), std::string(body), std::string(question),
             std::to_string(checksum_of_result(key, question, body))},
            kSmallReplyBytes);
}

void RedisResultStore::record_match(std::string_view key, std::string_view asked) {
  pool_.run(redis::kRecordMatch, key, kMatches, {std::string(asked), std::to_string(kMaxMatches)}, kSmallReplyBytes);
}

// The server may be shared with other programs, so that nothing is flushed.
void RedisResultStore::clear() {
  const auto until = std::chrono::steady_clock::now() + kMaxClearTime;
  std::string cursor = "0";
  do {
    const auto page = pool_.client().call({"SCAN", cursor, "MATCH", fmt::format("{}*", kRedisPrefix), "COUNT", "1000"},
                                          64 * kSmallReplyBytes);
    if (!page || page->items.size() != 2 || page->items[0].text.empty()) return;
    RedisClient::Command command{"UNLINK"};
    for (const RedisValue& key : page->items[1].items)
      if (key.text.starts_with(kRedisPrefix)) command.push_back(key.text);
    if (command.size() > 1 && !pool_.client().call(std::move(command), kSmallReplyBytes)) return;
    cursor = page->items[0].text;
  } while (cursor != "0" && std::chrono::steady_clock::now() < until);
}

std::vector<RedisResultStore::Head> RedisResultStore::heads() const {
  std::vector<Head> heads;
  for (int64_t begin = 0; begin < kMaxHeads; begin += kHeadsAtOnce) {
    const auto page = pool_.client().call(
        {"ZRANGE", pool_.use_key(), std::to_string(begin), std::to_string(begin + kHeadsAtOnce - 1)},
        4 * kSmallReplyBytes);
    if (!page || page->items.empty()) break;
    std::vector<RedisClient::Command> commands;
    commands.reserve(page->items.size());
    for (const RedisValue& key : page->items) commands.push_back({"HMGET", pool_.entry(key.text), "created", "hits"});
    const auto values = pool_.client().pipeline(commands, 4 * kSmallReplyBytes);
    if (!values) break;
    for (size_t i = 0; i < values->size(); ++i) {
      const RedisValue& value = (*values)[i];
      if (value.items.size() == 2 && value.items[0].number() > 0)
        heads.push_back({page->items[i].text, value.items[0].number(), value.items[1].number()});
    }
  }
  return heads;
}

ResultStats RedisResultStore::stats() {
  ResultStats stats;
  const auto values = pool_.client().pipeline({{"HGET", pool_.bytes_key(), ""}, {"LLEN", kMatches}}, kSmallReplyBytes);
  if (!values) return stats;
  stats.bytes = static_cast<uint64_t>(std::max<int64_t>((*values)[0].number(), 0));
  stats.matches = (*values)[1].number();
  for (const Head& head : heads()) {
    ++stats.results;
    stats.hits += head.hits;
    stats.oldest_s = stats.oldest_s == 0 ? head.created_s : std::min(stats.oldest_s, head.created_s);
  }
  return stats;
}

int64_t RedisResultStore::for_each(const std::function<void(const StoredResult&)>& visit) {
  int64_t damaged = 0;
  std::vector<Head> all = heads();
  std::sort(all.begin(), all.end(),
            [](const Head& a, const Head& b) { return std::tie(a.created_s, a.key) < std::tie(b.created_s, b.key); });
  const auto count = static_cast<int64_t>(all.size());
  for (int64_t begin = 0; begin < count; begin += kBodiesAtOnce) {
    const int64_t end = std::min(begin + kBodiesAtOnce, count);
    std::vector<RedisClient::Command> commands;
    for (int64_t i = begin; i < end; ++i)
      commands.push_back({"HMGET", pool_.entry(all[static_cast<size_t>(i)].key), "question", "body", "checksum",
                          "created", "used", "hits"});
    const auto values = pool_.client().pipeline(commands, kBodiesAtOnce * kMaxReplyBytes);
    if (!values) break;
    for (int64_t i = begin; i < end; ++i) {
      const std::string& key = all[static_cast<size_t>(i)].key;
      if (const auto result = result_of((*values)[static_cast<size_t>(i - begin)], key)) {
        visit(*result);
      } else {
        ++damaged;
        pool_.run(redis::kForget, key, {}, {}, kSmallReplyBytes);
      }
    }
  }
  return damaged;
}

std::vector<StoredMatch> RedisResultStore::matches() {
  std::vector<StoredMatch> found;
  const auto value = pool_.client().call({"LRANGE", kMatches, std::to_string(-kMaxMatches), "-1"},
                                         static_cast<uint64_t>(kMaxMatches) * 2 * kMaxQuestionBytes / 16);
  if (!value) return found;
  for (const RedisValue& item : value->items)
    if (auto match = match_of(item.text)) found.push_back(std::move(*match));
  return found;
}

}  // namespace frugal
