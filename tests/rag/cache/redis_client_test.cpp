#include "rag/cache/redis_client.h"

#include <doctest/doctest.h>
#include <utime.h>

#include <chrono>
#include <ctime>
#include <fstream>

#include "base/error.h"
#include "rag/cache/fault_proxy.h"
#include "rag/cache/redis_result_store.h"
#include "rag/cache/redis_server.h"
#include "support/temp_folder.h"

using namespace frugal;
using namespace frugal::testing;

namespace {

constexpr int64_t kTimeoutMs = 200;

RedisOptions options_of(RedisPlace place, const std::filesystem::path& folder = {}, bool always_try = false) {
  RedisOptions options;
  options.place = std::move(place);
  options.timeout_ms = kTimeoutMs;
  options.folder = folder;
  options.always_try = always_try;
  return options;
}

int64_t elapsed_ms(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
}

/// What ends by its deadline does so on the busiest machine; what does not waits for as long as the fault lasts.
constexpr int64_t kLimitMs = 10 * kTimeoutMs;

std::string reply_of(RedisClient& client) {
  const auto reply = client.call({"ECHO", "hello"}, 1 << 20);
  return reply ? reply->text : "away";
}

// A port that nobody listens on.
RedisPlace closed_place() {
  RedisPlace place;
  {
    const FaultProxy proxy("");
    place = proxy.place();
  }
  return place;
}

std::filesystem::path stamp_in(const TempFolder& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    if (entry.path().filename().native().starts_with("redis-away-")) return entry.path();
  return {};
}

}  // namespace

TEST_CASE("replies come as they were sent, in one pipeline") {
  for (const std::string& program : redis_programs()) {
    const RedisServer server(program);
    RedisClient client(options_of(server.place()));
    const auto values = client.pipeline({{"SET", "a", std::string("\0\r\n", 3)},
                                         {"GET", "a"},
                                         {"GET", "b"},
                                         {"LPUSH", "l", "x"},
                                         {"LRANGE", "l", "0", "-1"},
                                         {"GET", "l"},
                                         {"INCR", "n"}},
                                        1 << 20);
    REQUIRE(values);
    REQUIRE(values->size() == 7);
    CHECK((*values)[0].text == "OK");
    CHECK((*values)[1].text == std::string("\0\r\n", 3));
    CHECK((*values)[2].kind == RedisValue::Kind::nil);
    REQUIRE((*values)[4].items.size() == 1);
    CHECK((*values)[4].items[0].text == "x");
    CHECK((*values)[5].kind == RedisValue::Kind::error);  // of this key alone
    CHECK((*values)[6].integer == 1);
    CHECK(client.away().empty());
  }
}

TEST_CASE("every fault ends within the time-out, and costs it once") {
  for (const std::string& program : redis_programs()) {
    const RedisServer server(program);
    for (const Fault fault : kFaults) {
      INFO(kFaultNames[static_cast<size_t>(fault)]);
      FaultProxy proxy(server.socket());
      RedisResultStore store(std::make_shared<RedisClient>(options_of(proxy.place())), {});
      store.put("k", "scope", "signature", "question", "body");
      REQUIRE(store.find("k"));
      proxy.set(fault);
      const int before = proxy.connections();
      bool found = true;
      CHECK(elapsed_ms([&] { found = bool(store.find("k")); }) <= kLimitMs);
      CHECK_FALSE(found);
      if (fault == Fault::wrong_type || fault == Fault::wrong_shape) continue;  // replies, of which none is a result
      CHECK_FALSE(store.away().empty());
      proxy.set(Fault::none);
      for (int i = 0; i < 100; ++i) {
        CHECK_FALSE(store.find("k"));
        CHECK(store.find_similar("scope", "signature", 8).empty());
        store.put("k", "scope", "signature", "question", "other");
        store.record_match("k", "asked");
        CHECK(store.matches().empty());
        CHECK(store.stats().results == 0);
      }
      CHECK(proxy.connections() <= before + 1);  // one more: an idle connection may have been closed
    }
  }
}

TEST_CASE("every function of a store ends within the time-out, whatever the fault") {
  for (const std::string& program : redis_programs()) {
    const RedisServer server(program);
    for (const Fault fault :
         {Fault::blackhole, Fault::huge, Fault::wrong_type, Fault::wrong_shape, Fault::error, Fault::dies}) {
      INFO(kFaultNames[static_cast<size_t>(fault)]);
      const std::vector<std::function<void(RedisResultStore&)>> functions = {
          [](RedisResultStore& store) { CHECK(store.find_similar("scope", "signature", 8).empty()); },
          [](RedisResultStore& store) { store.put("k", "scope", "signature", "question", "body"); },
          [](RedisResultStore& store) { store.record_match("k", "asked"); },
          [](RedisResultStore& store) { CHECK(store.stats().results == 0); },
          [](RedisResultStore& store) { CHECK(store.matches().empty()); },
          [](RedisResultStore& store) { store.for_each([](const StoredResult&) { FAIL("a result"); }); },
          [](RedisResultStore& store) { store.clear(); }};
      for (const auto& function : functions) {
        FaultProxy proxy(server.socket());
        proxy.set(fault);
        RedisResultStore store(std::make_shared<RedisClient>(options_of(proxy.place())), {});
        CHECK(elapsed_ms([&] { function(store); }) <= kLimitMs);
      }
    }
  }
}

TEST_CASE("a server that is gone is tried by one process a minute") {
  if (redis_programs().empty()) return;
  const TempFolder folder;
  const RedisPlace place = closed_place();
  {
    RedisClient first(options_of(place, folder.path()));
    CHECK(reply_of(first) == "away");
    CHECK(first.away().find("refused") != std::string::npos);
  }
  const std::filesystem::path stamp = stamp_in(folder);
  REQUIRE_FALSE(stamp.empty());
  CHECK((std::filesystem::status(stamp).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  const std::string reason = "written by the test";
  std::ofstream(stamp) << reason;
  const auto age = [&](int seconds) {
    const utimbuf times{std::time(nullptr) - seconds, std::time(nullptr) - seconds};
    REQUIRE(::utime(stamp.c_str(), &times) == 0);
  };
  RedisClient second(options_of(place, folder.path()));
  CHECK(reply_of(second) == "away");
  CHECK(second.away() == reason);  // not tried
  age(50);
  RedisClient third(options_of(place, folder.path()));
  CHECK(reply_of(third) == "away");
  CHECK(third.away() == reason);
  for (const int seconds : {70, -600}) {  // over, or of a clock that was set back
    age(seconds);
    RedisClient later(options_of(place, folder.path()));
    CHECK(reply_of(later) == "away");
    CHECK(later.away() != reason);
    std::ofstream(stamp) << reason;
  }
  RedisClient insists(options_of(place, folder.path(), true));
  CHECK(reply_of(insists) == "away");
  CHECK(insists.away() != reason);
  RedisClient other_place(options_of(closed_place(), folder.path()));
  CHECK(reply_of(other_place) == "away");
  CHECK(other_place.away() != reason);
}

TEST_CASE("a server that is back is used by whoever finds it, and then by all") {
  for (const std::string& program : redis_programs()) {
    const RedisServer server(program);
    const TempFolder folder;
    FaultProxy proxy(server.socket());
    proxy.set(Fault::dies);
    RedisClient unlucky(options_of(proxy.place(), folder.path()));
    CHECK(reply_of(unlucky) == "away");
    proxy.set(Fault::none);
    RedisClient waits(options_of(proxy.place(), folder.path()));
    CHECK(reply_of(waits) == "away");
    {
      RedisClient insists(options_of(proxy.place(), folder.path(), true));
      CHECK(reply_of(insists) == "hello");
    }
    CHECK(stamp_in(folder).empty());
    RedisClient next(options_of(proxy.place(), folder.path()));
    CHECK(reply_of(next) == "hello");
  }
}

TEST_CASE("a stamp that cannot be written or read does no harm") {
  if (redis_programs().empty()) return;
  const TempFolder folder;
  std::ofstream(folder / "file") << "no folder";
  RedisClient client(options_of(closed_place(), folder / "file"));
  CHECK(reply_of(client) == "away");
  CHECK(reply_of(client) == "away");
}

TEST_CASE("a connection that the server closed is made again, and a restarted server is used again") {
  for (const std::string& program : redis_programs()) {
    RedisServer server(program);
    RedisClient client(options_of(server.place()));
    CHECK(reply_of(client) == "hello");
    server.kill();
    server.start();
    CHECK(reply_of(client) == "hello");
    CHECK(client.away().empty());
    server.kill();
    CHECK(elapsed_ms([&] { CHECK(reply_of(client) == "away"); }) <= kLimitMs);
  }
}

TEST_CASE("user, password and database are sent with the first command") {
  for (const std::string& program : redis_programs()) {
    const RedisServer server(program, {"--requirepass", "pass word"});
    RedisPlace place = server.place();
    {
      RedisClient client(options_of(place));
      CHECK(reply_of(client) == "away");
      CHECK(client.away().find("NOAUTH") != std::string::npos);
    }
    place.password = "wrong";
    RedisClient wrong(options_of(place));
    CHECK(reply_of(wrong) == "away");
    CHECK(wrong.away().find("WRONGPASS") != std::string::npos);
    place.password = "pass word";
    place.database = 3;
    RedisClient client(options_of(place));
    CHECK(reply_of(client) == "hello");
    REQUIRE(client.call({"SET", "in", "three"}, 100));
    place.user = "default";
    place.database = 0;
    RedisClient other(options_of(place));
    CHECK(other.call({"GET", "in"}, 100)->kind == RedisValue::Kind::nil);
    place.database = 99;
    RedisClient none(options_of(place));
    CHECK(reply_of(none) == "away");
  }
}

TEST_CASE("a host that is not found, or not reached, ends within the time-out") {
  if (redis_programs().empty()) return;
  for (const char* host : {"nowhere.invalid", "203.0.113.1"}) {  // RFC 6761, RFC 5737
    INFO(host);
    RedisPlace place;
    place.host = host;
    RedisClient client(options_of(place));
    CHECK(elapsed_ms([&] { CHECK(reply_of(client) == "away"); }) <= kLimitMs);
  }
  RedisPlace place;
  place.socket = "/nowhere/at/all";
  RedisClient client(options_of(place));
  CHECK(reply_of(client) == "away");
}
