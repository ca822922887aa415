// What every kind of ResultStore promises, compared with a map in memory where that is possible.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "rag/cache/redis_result_store.h"
#include "rag/cache/redis_server.h"
#include "rag/cache/result_store.h"
#include "rag/cache/sqlite_result_store.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

/// A place for stores: each call of open() opens the same results, as another process would.
class ResultPlace {
 public:
  virtual ~ResultPlace() = default;
  virtual std::unique_ptr<ResultStore> open(ResultLimits limits = {}) = 0;
};

class SqliteResultPlace : public ResultPlace {
 public:
  std::unique_ptr<ResultStore> open(ResultLimits limits) override {
    return std::make_unique<SqliteResultStore>(folder_.path(), limits);
  }

 private:
  TempFolder folder_;
};

class RedisResultPlace : public ResultPlace {
 public:
  explicit RedisResultPlace(const std::string& program) : server_(program) {}
  std::unique_ptr<ResultStore> open(ResultLimits limits) override {
    return std::make_unique<RedisResultStore>(server_.client(), limits);
  }

 private:
  RedisServer server_;
};

void for_each_place(const std::function<void(ResultPlace&)>& test) {
  {
    INFO("sqlite");
    SqliteResultPlace place;
    test(place);
  }
  for (const std::string& program : redis_programs()) {
    INFO(program);
    RedisResultPlace place(program);
    test(place);
  }
}

void put(ResultStore& store, const std::string& key, const std::string& body) {
  store.put(key, "scope", "signature " + key, "question " + key, body);
}

std::set<std::string> keys_of(const std::vector<StoredResult>& results) {
  std::set<std::string> keys;
  for (const StoredResult& result : results) keys.insert(result.key);
  return keys;
}

struct Known {
  std::string scope, signature, question, body;
};

}  // namespace

TEST_CASE("a result is found by another store at the same place, and only by its key") {
  for_each_place([](ResultPlace& place) {
    const std::string body("b\0\r\n\xff$3 {}", 11);  // any bytes
    put(*place.open(), "k", body);
    const auto store = place.open();
    const auto found = store->find("k");
    REQUIRE(found);
    CHECK(found->key == "k");
    CHECK(found->body == body);
    CHECK(found->question == "question k");
    CHECK(found->created_s > 1'700'000'000);
    CHECK_FALSE(store->find("K"));
    CHECK_FALSE(store->find(""));
    CHECK(store->find_similar("scope", "signature k", 8).size() == 1);
    CHECK(store->find_similar("other", "signature k", 8).empty());
    CHECK(store->find_similar("scope", "", 8).empty());
    CHECK(store->stats().hits == 1);
    CHECK(store->find("k")->hits == 1);
    CHECK(store->away().empty());
  });
}

TEST_CASE("a store does what a map does") {
  for_each_place([](ResultPlace& place) {
    std::mt19937 random(7);
    std::map<std::string, Known> known;
    const auto pick = [&](int count) { return std::to_string(random() % static_cast<unsigned>(count)); };
    auto store = place.open();
    for (int round = 0; round < 400; ++round) {
      if (round % 50 == 49) store = place.open();
      const std::string key = pick(30);
      if (random() % 2 == 0) {
        const Known result{pick(2), pick(4), "q" + pick(100), std::string(random() % 3000, 'x') + pick(100)};
        store->put(key, result.scope, result.signature, result.question, result.body);
        known[key] = result;
      }
      const auto found = store->find(key);
      REQUIRE(bool(found) == known.contains(key));
      if (found) CHECK(found->body == known[key].body);
      if (found) CHECK(found->question == known[key].question);
      const std::string scope = pick(2), signature = pick(4);
      std::set<std::string> expected;
      for (const auto& [name, result] : known)
        if (result.scope == scope && result.signature == signature) expected.insert(name);
      CHECK(keys_of(store->find_similar(scope, signature, 64)) == expected);
      if (round == 200) {
        store->clear();
        known.clear();
      }
    }
    CHECK(store->stats().results == static_cast<int64_t>(known.size()));
    std::set<std::string> visited;
    CHECK(store->for_each([&](const StoredResult& result) {
      visited.insert(result.key);
      CHECK(result.body == known[result.key].body);
    }) == 0);
    CHECK(visited.size() == known.size());
  });
}

TEST_CASE("no more neighbours come than are asked for") {
  for_each_place([](ResultPlace& place) {
    const auto store = place.open();
    for (int i = 0; i < 12; ++i) store->put(std::to_string(i), "s", "t", "q", "body");
    CHECK(store->find_similar("s", "t", 8).size() == 8);
    CHECK(store->find_similar("s", "t", 0).empty());
  });
}

TEST_CASE("a result that is too old is not found, and goes with the next write") {
  for_each_place([](ResultPlace& place) {
    const auto store = place.open({uint64_t(1) << 20, 0});
    put(*store, "a", "body");
    CHECK_FALSE(store->find("a"));
    CHECK(store->find_similar("scope", "signature a", 8).empty());
    CHECK(store->stats().results == 0);
  });
}

TEST_CASE("the least recently used results are evicted above the limit") {
  for_each_place([](ResultPlace& place) {
    const ResultLimits limits{uint64_t(256) << 10, 3600};
    const auto store = place.open(limits);
    for (int i = 0; i < 300; ++i) put(*store, std::to_string(i), std::string(4000, 'x'));
    CHECK(store->find("299"));
    CHECK_FALSE(store->find("0"));
    CHECK(store->find_similar("scope", "signature 0", 8).empty());
    CHECK(store->stats().results > 20);
    CHECK(store->stats().results < 70);
    store->clear();
    CHECK(store->stats().results == 0);
    CHECK_FALSE(store->find("299"));
  });
}

TEST_CASE("a result that is too large is not stored") {
  for_each_place([](ResultPlace& place) {
    const auto store = place.open();
    put(*store, "large", std::string((1 << 20) + 1, 'x'));
    CHECK_FALSE(store->find("large"));
    put(*store, "largest", std::string(1 << 20, 'x'));
    REQUIRE(store->find("largest"));
    CHECK(store->find("largest")->body.size() == 1 << 20);
    CHECK(store->find_similar("scope", "signature largest", 8).size() == 1);
    const auto small = place.open({uint64_t(64) << 10, 3600});
    put(*small, "quarter", std::string((16 << 10) + 1, 'x'));
    CHECK_FALSE(small->find("quarter"));
  });
}

TEST_CASE("a match is recorded with both questions, and the last thousand are kept") {
  for_each_place([](ResultPlace& place) {
    const auto store = place.open();
    put(*store, "k", "body");
    store->record_match("k", "as:ked");
    store->record_match("absent", "asked");
    auto matches = store->matches();
    REQUIRE(matches.size() == 1);
    CHECK(matches[0].asked == "as:ked");
    CHECK(matches[0].question == "question k");
    CHECK(matches[0].at_s > 1'700'000'000);
    CHECK(store->stats().matches == 1);
    CHECK(store->stats().hits == 1);
    for (int i = 0; i < 1001; ++i) store->record_match("k", std::to_string(i));
    matches = store->matches();
    REQUIRE(matches.size() == 1000);
    CHECK(matches.front().asked == "1");
    CHECK(matches.back().asked == "1000");
    store->clear();
    CHECK(store->matches().empty());
  });
}
