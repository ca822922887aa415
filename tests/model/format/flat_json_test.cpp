#include "model/format/flat_json.h"

#include <doctest/doctest.h>

#include "base/error.h"

using namespace frugal;

TEST_CASE("nested members have dotted keys, of any type that a configuration uses") {
  const FlatJson json(
      R"({"a": {"b": {"c": 3}, "name": "x"}, "on": true, "eps": 1e-5, "list": [1, 2.5], "mixed": [1, "x"],
                          "none": null, "huge": 18446744073709551615})",
      "config.json");
  CHECK(json.integer("a.b.c") == 3);
  CHECK(json.text("a.name") == "x");
  CHECK(json.integer("on") == 1);
  CHECK(json.number("eps") == 1e-5);
  CHECK(json.numbers("list") == std::vector<double>{1, 2.5});
  CHECK(json.numbers("mixed").empty());
  CHECK(json.number("huge") == 18446744073709551615.0);
  CHECK_FALSE(json.text("none").has_value());
  CHECK_FALSE(json.text("a").has_value());
  CHECK_THROWS_WITH_AS(FlatJson("[1]", "config.json"), doctest::Contains("'config.json' is not a JSON object"), Error);
}

TEST_CASE("a value below a key that is too long to be one is left out, its neighbours are not") {
  const std::string longest(256, 'k'), longer(257, 'k');
  const FlatJson json(
      "{\"" + longest + "\": 1, \"" + longer + "\": {\"a\": 2}, \"p\": {\"" + longest + "\": 3, \"b\": 4}}",
      "config.json");
  CHECK(json.integer(longest) == 1);
  CHECK_FALSE(json.integer(longer + ".a").has_value());
  CHECK_FALSE(json.integer("p." + longest).has_value());
  CHECK(json.integer("p.b") == 4);
}
