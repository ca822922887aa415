// What a store in Redis does beyond the conformance suite: a server that others use too, that loses keys, holds the
// wrong ones, or is killed.
#include "rag/cache/redis_result_store.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "rag/cache/redis_cache.h"
#include "rag/cache/redis_server.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

void put(ResultStore& store, const std::string& key, const std::string& body) {
  store.put(key, "scope", "signature " + key, "question " + key, body);
}

// The body that belongs to a key: what another process stored can be checked.
std::string body_of(int key) {
  return std::string(static_cast<size_t>(200 + key * 7), static_cast<char>('a' + key % 26));
}

std::string text_of(RedisClient& client, RedisClient::Command command) {
  const auto value = client.call(std::move(command), 1 << 20);
  REQUIRE(value);
  return value->kind == RedisValue::Kind::integer ? std::to_string(value->integer) : value->text;
}

// Writes and reads until it is killed, or for `rounds`; the status is 1 if a body was wrong.
pid_t fork_writer(const RedisServer& server, int seed, int rounds) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child != 0) return child;
  int wrong = 0;
  RedisResultStore store(server.client(), {uint64_t(16) << 10, 3600});
  for (int round = 0; round < rounds; ++round) {
    const int key = (round * 7 + seed * 13) % 40;
    put(store, std::to_string(key), body_of(key));
    for (int other = 0; other < 40; other += 5)
      if (const auto found = store.find(std::to_string(other))) wrong += found->body != body_of(other);
    if (round % 20 == 10) store.clear();
  }
  ::_exit(wrong == 0 ? 0 : 1);
}

// The bookkeeping agrees with the entries.
void check_consistent(RedisClient& client) {
  int64_t bytes = 0;
  const auto members = client.call({"ZRANGE", "frugal:1:answer-use", "0", "-1"}, 1 << 20);
  REQUIRE(members);
  for (const RedisValue& member : members->items) {
    CHECK(text_of(client, {"EXISTS", "frugal:1:answer:" + member.text}) == "1");
    bytes += std::stoll(text_of(client, {"HGET", "frugal:1:answer-bytes", member.text}));
  }
  if (members->items.empty()) return;
  CHECK(text_of(client, {"HGET", "frugal:1:answer-bytes", ""}) == std::to_string(bytes));
  CHECK(text_of(client, {"HLEN", "frugal:1:answer-bytes"}) == std::to_string(members->items.size() + 1));
}

}  // namespace

TEST_CASE("every key has the prefix and expires, and clearing deletes no other") {
  for (const std::string& program : redis_programs()) {
    const RedisServer server(program);
    const auto client = server.client();
    RedisResultStore store(client, {uint64_t(1) << 20, 3600});
    const RedisCache vectors(client, "vector", {uint64_t(1) << 20, 3600}, "v1");
    for (int i = 0; i < 2000; ++i) client->call({"SET", "other:" + std::to_string(i), "x"}, 100);
    put(store, "k", "body");
    store.record_match("k", "asked");
    vectors.put("abcd", "vector");
    const auto keys = client->call({"KEYS", "frugal:1:*"}, 1 << 20);
    REQUIRE(keys);
    CHECK(keys->items.size() == 8);
    for (const RedisValue& key : keys->items) {
      INFO(key.text);
      const int64_t left = std::stoll(text_of(*client, {"TTL", key.text}));
      CHECK(left > 3500);
      CHECK(left <= 3600);
    }
    CHECK(text_of(*client, {"DBSIZE"}) == "2008");
    store.clear();
    CHECK(text_of(*client, {"DBSIZE"}) == "2000");
    CHECK_FALSE(vectors.find("abcd"));
  }
}

TEST_CASE("a value that is damaged, half or of another type is a miss") {
  for (const std::string& program : redis_programs()) {
    const RedisServer server(program);
    const auto client = server.client();
    RedisResultStore store(client, {});
    const std::string entry = "frugal:1:answer:k";
    const std::vector<std::vector<RedisClient::Command>> damages = {
        {{"HSET", entry, "body", "other"}},
        {{"HSET", entry, "question", "other"}},
        {{"HSET", entry, "checksum", "0"}},
        {{"HSET", entry, "checksum", "x"}},
        {{"HSET", entry, "created", "never"}},
        {{"HSET", entry, "created", "nan"}},
        {{"HDEL", entry, "body"}},
        {{"HDEL", entry, "created"}},
        {{"DEL", entry}},
        {{"DEL", entry}, {"SET", entry, "text"}},
        {{"DEL", entry}, {"LPUSH", entry, "text"}},
        {{"DEL", "frugal:1:answer-use"}, {"SET", "frugal:1:answer-use", "text"}, {"HDEL", entry, "body"}},
        {{"DEL", "frugal:1:answer-bytes"}, {"SADD", "frugal:1:answer-bytes", "text"}, {"HDEL", entry, "body"}}};
    for (size_t i = 0; i < damages.size(); ++i) {
      INFO(i);
      client->call({"FLUSHDB"}, 100);
      put(store, "k", "body");
      REQUIRE(store.find("k"));
      REQUIRE(client->pipeline(damages[i], 1 << 20));
      CHECK_FALSE(store.find("k"));
      CHECK(store.find_similar("scope", "signature k", 8).empty());
      CHECK(store.away().empty());
    }
    client->call({"FLUSHDB"}, 100);
    put(store, "k", "body");
    client->call({"HSET", entry, "hits", "many", "used", "never", "near", "elsewhere"}, 100);
    CHECK(store.find("k"));  // figures that are none
    client->call({"HSET", entry, "body", "damaged"}, 100);
    put(store, "good", "body");
    int visited = 0;
    CHECK(store.for_each([&](const StoredResult&) { ++visited; }) == 1);
    CHECK(visited == 1);
    CHECK(store.for_each([](const StoredResult&) {}) == 0);
  }
}

TEST_CASE("a vector that is damaged or of another version is a miss") {
  for (const std::string& program : redis_programs()) {
    const RedisServer server(program);
    const auto client = server.client();
    const RedisCache cache(client, "vector", {uint64_t(1) << 20, 3600}, "v1");
    const std::string content("\0\xff\r\n", 4);
    cache.put("abcd", content);
    CHECK(cache.find("abcd") == content);
    CHECK_FALSE(cache.find("abce"));
    CHECK_FALSE(RedisCache(client, "vector", {uint64_t(1) << 20, 3600}, "v2").find("abcd"));
    client->call({"APPEND", "frugal:1:vector:abcd", "x"}, 100);
    CHECK_FALSE(cache.find("abcd"));
    client->call({"DEL", "frugal:1:vector:abcd"}, 100);
    client->call({"LPUSH", "frugal:1:vector:abcd", "x"}, 100);
    CHECK_FALSE(cache.find("abcd"));
    cache.put("abcd", content);
    CHECK(cache.find("abcd") == content);
    for (int i = 0; i < 50; ++i) cache.put(std::to_string(1000 + i), std::string(64 << 10, 'x'));
    CHECK_FALSE(cache.find("abcd"));
    CHECK(cache.find("1049"));
    CHECK(std::stoll(text_of(*client, {"HGET", "frugal:1:vector-bytes", ""})) <= 1 << 20);
  }
}

TEST_CASE("keys that the server evicts or that expire leave the bound as it is") {
  for (const std::string& program : redis_programs()) {
    const RedisServer server(program);
    const auto client = server.client();
    const ResultLimits limits{uint64_t(64) << 10, 3600};
    RedisResultStore store(client, limits);
    const auto fill = [&] {
      for (int i = 0; i < 60; ++i) put(store, std::to_string(i), std::string(2000, 'x'));
      CHECK(store.find("59"));
      CHECK(std::stoll(text_of(*client, {"HGET", "frugal:1:answer-bytes", ""})) <= (64 << 10));
    };
    fill();
    check_consistent(*client);
    for (const char* key : {"frugal:1:answer-use", "frugal:1:answer-bytes", "frugal:1:answer:59"}) {
      INFO(key);
      client->call({"DEL", key}, 100);
      fill();
      check_consistent(*client);
    }
  }
}

TEST_CASE("a find that was gone is taken out of the bookkeeping") {
  for (const std::string& program : redis_programs()) {
    const RedisServer server(program);
    const auto client = server.client();
    RedisResultStore store(client, {});
    put(store, "k", "body");
    client->call({"DEL", "frugal:1:answer:k"}, 100);
    CHECK_FALSE(store.find("k"));
    CHECK(store.stats().bytes == 0);
    CHECK(text_of(*client, {"ZCARD", "frugal:1:answer-use"}) == "0");
  }
}

TEST_CASE("processes that write, read and clear at once never read a wrong body") {
  for (const std::string& program : redis_programs()) {
    const RedisServer server(program);
    std::vector<pid_t> children;
    for (int seed = 0; seed < 4; ++seed) children.push_back(fork_writer(server, seed, 60));
    for (const pid_t child : children) {
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      CHECK(WIFEXITED(status));
      CHECK(WEXITSTATUS(status) == 0);
    }
    const auto client = server.client();
    RedisResultStore store(client, {});
    put(store, "last", "body");
    CHECK(store.find("last"));
  }
}

TEST_CASE("writers and a server that are killed leave nothing half") {
  for (const std::string& program : redis_programs()) {
    RedisServer server(program, {"--appendonly", "yes", "--appendfsync", "no"});
    for (int round = 0; round < 6; ++round) {
      const pid_t writer = fork_writer(server, round, 1 << 20);
      ::usleep(static_cast<useconds_t>(20'000 + 7'000 * round));
      const bool kill_server = round % 2 == 1;
      if (kill_server) server.kill();
      ::kill(writer, SIGKILL);
      int status = 0;
      REQUIRE(::waitpid(writer, &status, 0) == writer);
      CHECK(WIFSIGNALED(status));  // it was never stopped by a server that is gone
      if (kill_server) server.start();
      const auto client = server.client();
      for (int tries = 0; tries < 500 && !client->call({"PING"}, 100); ++tries) ::usleep(10'000);
      check_consistent(*server.client());
      RedisResultStore store(server.client(), {});
      CHECK(store.for_each([](const StoredResult& result) { CHECK(result.body == body_of(std::stoi(result.key))); }) ==
            0);
      put(store, "1", body_of(1));
      CHECK(store.find("1"));
    }
  }
}
