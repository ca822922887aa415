#include "rag/office/ascii85.h"

#include <doctest/doctest.h>

#include <string>

using namespace frugal;

// The texts are those of Python's base64.a85encode().
TEST_CASE("bytes come back from their letters") {
  CHECK(decode_ascii85("87cURD_*#CBkMR/ATK!~>") == "Hello, figures!");
  CHECK(decode_ascii85("87cUR\n D_*#C\tBkMR/\r\nATK! ~> more") == "Hello, figures!");
  CHECK(decode_ascii85("z@:B") == std::string("\0\0\0\0ab", 6));
  CHECK(decode_ascii85("s8W-!") == "\xff\xff\xff\xff");
  CHECK(decode_ascii85("@/") == "a");
  CHECK(decode_ascii85("") == "");
}

TEST_CASE("what stands for no bytes is refused") {
  CHECK(!decode_ascii85("87cURv"));
  CHECK(!decode_ascii85("87cUR\x80"));
  CHECK(!decode_ascii85("s8W-\""));  // 2^32
  CHECK(!decode_ascii85("87cURD"));  // one digit of a group
  CHECK(!decode_ascii85("87z"));
}
