#include "measure/report/table.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "measure/report/json.h"

using namespace frugal;

namespace {

Table sample() {
  Table table({{"name"}, {"ms", Table::Align::right}});
  table.add({"ação", "1.5"});
  table.add({"a|b, \"c\"", "10"});
  return table;
}

}  // namespace

TEST_CASE("a text table pads by characters and leaves no trailing spaces") {
  CHECK(sample().text() ==
        "name       ms\n"
        "ação      1.5\n"
        "a|b, \"c\"   10\n");
}

TEST_CASE("a Markdown table escapes bars and aligns numbers right") {
  CHECK(sample().markdown() ==
        "| name | ms |\n"
        "|---|---:|\n"
        "| ação | 1.5 |\n"
        "| a\\|b, \"c\" | 10 |\n");
}

TEST_CASE("an aligned Markdown table has columns of one width") {
  CHECK(sample().aligned_markdown() ==
        "| name      |  ms |\n"
        "|-----------|----:|\n"
        "| ação      | 1.5 |\n"
        "| a\\|b, \"c\" |  10 |\n");
}

TEST_CASE("CSV quotes only the fields that need it, as RFC 4180 says") {
  CHECK(sample().csv() == "name,ms\r\nação,1.5\r\n\"a|b, \"\"c\"\"\",10\r\n");
  CHECK(csv_field("two\nlines") == "\"two\nlines\"");
}

TEST_CASE("JSON keeps the order of keys and survives text that is not UTF-8") {
  nlohmann::ordered_json value = {{"z", 1}, {"a", nullptr}, {"text", "x\xffy"}};
  CHECK(json_line(value) == "{\"z\":1,\"a\":null,\"text\":\"x\xEF\xBF\xBDy\"}\n");
}
