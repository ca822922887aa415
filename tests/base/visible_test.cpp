#include "base/visible.h"

#include <doctest/doctest.h>

#include <string>

using namespace frugal;

TEST_CASE("control characters, line breaks and bidirectional controls of a name are shown, and nothing else changes") {
  CHECK(visible_line("naïve “name” – 名前 🙂.txt") == "naïve “name” – 名前 🙂.txt");
  CHECK(visible_line("a\x1b[31mred\x07") == "a\\x1b[31mred\\x07");
  CHECK(visible_line("a\nerror: b\r\tc") == "a\\nerror: b\\r\\tc");
  CHECK(visible_line("\u009b31m\u0085\x7f") == "\\u009b31m\\u0085\\x7f");
  CHECK(visible_line("exe.\u202etxt\u2066\u2029") == "exe.\\u202etxt\\u2066\\u2029");
  CHECK(visible_line(std::string_view("\0", 1)) == "\\x00");
}

TEST_CASE("bytes that are no UTF-8 are shown too: a terminal may read them as controls") {
  CHECK(visible_line("a\x9b"
                     "31m") == "a\\x9b31m");
  CHECK(visible_line("cut \xE2\x82") == "cut \\xe2\\x82");
}

TEST_CASE("text of several lines keeps its lines, and a return only at their ends") {
  CHECK(visible_text("a\tb\r\nc\n") == "a\tb\r\nc\n");
  CHECK(visible_text("real\rfake\x1b[2J") == "real\\rfake\\x1b[2J");
}

TEST_CASE("JSON stays equal for a parser, without a control character in it") {
  CHECK(visible_json("{\"a\": \"x\u009by\u202ez\x7f\"}") == "{\"a\": \"x\\u009by\\u202ez\\u007f\"}");
  CHECK(visible_json("{\"a\": \"plain – ü\"}\n") == "{\"a\": \"plain – ü\"}\n");
}
