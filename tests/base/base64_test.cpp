#include "base/base64.h"

#include <doctest/doctest.h>

#include <array>

using namespace frugal;

TEST_CASE("base 64 is that of RFC 4648") {
  // The test vectors of its section 10, and the last two digits.
  constexpr std::array<std::array<const char*, 2>, 8> kVectors{{{"", ""},
                                                                {"f", "Zg=="},
                                                                {"fo", "Zm8="},
                                                                {"foo", "Zm9v"},
                                                                {"foob", "Zm9vYg=="},
                                                                {"fooba", "Zm9vYmE="},
                                                                {"foobar", "Zm9vYmFy"},
                                                                {"\xfb\xff\xfe", "+//+"}}};
  for (const auto& [bytes, text] : kVectors) {
    std::string coded;
    append_base64(coded, bytes);
    CHECK(coded == text);
    CHECK(from_base64(text) == bytes);
  }
}

TEST_CASE("base 64 goes back and forth for every number of bytes") {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    std::string text;
    append_base64(text, bytes);
    CHECK(from_base64(text) == bytes);
    bytes += static_cast<char>(i * 37);
  }
}

TEST_CASE("lines and missing padding are read; other characters, too few digits and wrong padding are not") {
  for (const char* text : {"aG\nk=", "aGk\r\n", "aGk", "aGk="}) CHECK(from_base64(text) == "hi");
  for (const char* text : {"a", "aGk==", "aG=k", "aGk=aGk=", "aGk===", "aGk-", "aG k", "aGk\xc3\xa9"})
    CHECK(from_base64(text) == std::nullopt);
}
