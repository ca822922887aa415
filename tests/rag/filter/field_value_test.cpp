#include "rag/filter/field_value.h"

#include <doctest/doctest.h>

#include <string>

#include "base/error.h"

using namespace frugal;

namespace {

bool passes(const std::string& condition, const std::string& value) {
  DocumentFields fields;
  fields.add("key", value);
  return holds(parse_condition("key" + condition), fields);
}

}  // namespace

TEST_CASE("words are equal without regard to case and accents") {
  CHECK(passes("=São  Paulo", "sao paulo"));
  CHECK_FALSE(passes("=São Paulo", "São"));
  CHECK(passes("!=São Paulo", "Santos"));
  CHECK_FALSE(passes("!=santos", "Santos"));
}

TEST_CASE("numbers are compared as numbers") {
  CHECK(passes("=10", "10.0"));
  CHECK(passes("<10", "9.5"));
  CHECK_FALSE(passes("<10", "10"));
  CHECK(passes("<=10", "10"));
  CHECK(passes(">-3", "2e3"));
  CHECK(passes(">=2", "+2"));
  CHECK_FALSE(passes(">9", "10 a"));
  CHECK_FALSE(passes(">0", "nan"));
  CHECK_FALSE(passes(">0", "inf"));
}

TEST_CASE("dates are compared by their days, and a year or a month is a period") {
  CHECK(passes("=2024-05", "2024-05-31"));
  CHECK(passes("=2024", "2024-05"));
  CHECK_FALSE(passes("=2024-05-31", "2024-05"));
  CHECK(passes(">=2024", "2024-01-01"));
  CHECK_FALSE(passes(">2024", "2024-12-31"));
  CHECK(passes(">2024", "2025-01-01"));
  CHECK(passes("<=2024-05", "2024-05-31"));
  CHECK_FALSE(passes("<2024-05", "2024-05-01"));
  CHECK(passes("<2024-05-31", "2024-05-30T23:59:59Z"));
  CHECK(passes("<2024-05-31T10:00", "2024-05-31 09:30"));
  CHECK_FALSE(passes(">2024-01-01", "yesterday"));
}

TEST_CASE("a condition holds for any of several values; its denial for none, and for a document without the field") {
  DocumentFields fields;
  fields.add("tag", "law");
  fields.add("tag", "old");
  CHECK(holds(parse_condition("Tag=old"), fields));
  CHECK_FALSE(holds(parse_condition("tag!=old"), fields));
  CHECK(holds(parse_condition("tag!=new"), fields));
  CHECK(holds(parse_condition("year!=2024"), fields));
  CHECK_FALSE(holds(parse_condition("year=2024"), fields));
}

TEST_CASE("a text that is no condition is wrong usage") {
  for (const char* text : {"", "key", "=value", "key=", "key!value", "key<", "key>yesterday", "key<=", " = "}) {
    INFO(text);
    CHECK_THROWS_AS(parse_condition(text), Error);
  }
}

TEST_CASE("filters that select the same have one key, and others have another") {
  const auto key = [](ChunkFilter filter) { return filter.key(); };
  CHECK(key({}).empty());
  CHECK(key({.phrases = {"a", "b"}}) == key({.phrases = {"b", "a"}}));
  CHECK(key({.phrases = {"a b"}}) != key({.phrases = {"a", "b"}}));
  CHECK(key({.phrases = {"a"}}) != key({.excluded = {"a"}}));
  CHECK(key({.paths = {"a", "!b"}}) != key({.paths = {"!b", "a"}}));
  CHECK(key({.where = {parse_condition("a<1")}}) != key({.where = {parse_condition("a<=1")}}));
}
