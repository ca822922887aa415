#include "rag/text/plain_text.h"

#include <doctest/doctest.h>

using namespace frugal;

TEST_CASE("plain text has no escape sequences, controls or bidirectional marks, and keeps everything else") {
  CHECK(plain_text("a\x1b[31mred\x1b[0m b") == "ared b");
  CHECK(plain_text("\x1b]0;title\x07text") == "text");
  CHECK(plain_text("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\") == "link");
  CHECK(plain_text("tab\tand\nline\rbell\a\b") == "tab\tand\nlinebell");
  CHECK(plain_text("abc\u202Edef\u2066ghi\u200Bj\uFEFF") == "abcdefghij");
  CHECK(plain_text("x\U000E0041\U000E0042y") == "xy");
  CHECK(plain_text("\u009B31m") == "31m");
  const std::string ordinary = "Ação § 2º — “quoted” 漢字 🙂 e\u0301 क\u094D\u200Dष";
  CHECK(plain_text(ordinary) == ordinary);
}

TEST_CASE("plain text of invalid UTF-8 and of an unterminated escape sequence is valid and complete") {
  CHECK(plain_text("a\xff\xfe"
                   "b") == "a\uFFFD\uFFFDb");
  const std::string open = "\x1b]" + std::string(100000, 'x');
  CHECK(plain_text(open).size() == 100000);
  CHECK(plain_text("\x1b") == "");
  CHECK(plain_text("\x1b[") == "");
}
