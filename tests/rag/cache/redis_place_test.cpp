#include "rag/cache/redis_place.h"

#include <doctest/doctest.h>

#include "base/error.h"

using namespace frugal;

TEST_CASE("the address of a server has a host, and may have port, database, user and password") {
  const RedisPlace plain = parse_redis_place("redis://cache.example");
  CHECK(plain.host == "cache.example");
  CHECK(plain.port == 6379);
  CHECK(plain.database == 0);
  CHECK(plain.text() == "redis://cache.example:6379/0");
  const RedisPlace full = parse_redis_place("redis://u%40x:p%3aq@h:7@[::1]:700/12");
  CHECK(full.user == "u@x");
  CHECK(full.password == "p:q@h:7");
  CHECK(full.host == "::1");
  CHECK(full.port == 700);
  CHECK(full.database == 12);
  CHECK(full.text() == "redis://[::1]:700/12");  // without the password
  CHECK(parse_redis_place("redis://:secret@h").password == "secret");
  CHECK(parse_redis_place("redis://:secret@h").user.empty());
  CHECK(parse_redis_place("redis://h/").database == 0);
  CHECK(parse_redis_place("unix:/run/redis.sock").socket == "/run/redis.sock");
  CHECK(parse_redis_place("unix:/run/redis.sock").text() == "unix:/run/redis.sock");
}

TEST_CASE("what is no address is refused, without repeating its password") {
  for (const char* url :
       {"", "localhost:6379", "http://h", "rediss://:secret@h", "unix:relative", "redis://", "redis://:secret@",
        "redis://:secret@h:port", "redis://:secret@h:70000", "redis://:secret@h/x", "redis://:secret@h:1:2",
        "redis://:secret@[::1", "redis://:secret@[::1]x", "redis://:secret%@h", "redis://:secret%4@h",
        "redis://:secret%zz@h", "redis://h/-1"}) {
    INFO(url);
    try {
      parse_redis_place(url);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == Code::usage);
      CHECK(error.message().find("secret") == std::string::npos);
      CHECK_FALSE(error.hint().empty());
    }
  }
}
