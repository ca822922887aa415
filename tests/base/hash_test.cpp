#include "base/hash.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/temp_folder.h"

using namespace frugal;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("HMAC-SHA-256 gives the digests of RFC 4231") {
  const auto hex = [](const std::array<uint8_t, 32>& digest) { return fmt::format("{:02x}", fmt::join(digest, "")); };
  CHECK(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("SHA-256 does not depend on how the text is cut, and starts anew after a digest") {
  Sha256 hash;
  CHECK(hash.update("a").update("").update("bc").hex() == sha256_hex("abc"));
  CHECK(hash.update("abc").hex() == sha256_hex("abc"));
}

TEST_CASE("the hash of a file is that of its content, also past one window and when it is empty") {
  const testing::TempFolder folder;
  const std::string text(9'000'001, 'x');
  std::ofstream(folder.path() / "large", std::ios::binary) << text;
  std::ofstream(folder.path() / "empty", std::ios::binary);
  CHECK(sha256_file(folder.path() / "large") == sha256_hex(text));
  CHECK(sha256_file(folder.path() / "empty") == sha256_hex(""));
}

TEST_CASE("a checksum changes with any byte and with the seed") {
  std::string text(1000, 'a');
  const auto sum = [&](uint64_t seed) { return checksum64(std::as_bytes(std::span(text.data(), text.size())), seed); };
  const uint64_t before = sum(0);
  CHECK(sum(0) == before);
  CHECK(sum(1) != before);
  text[999] = 'b';
  CHECK(sum(0) != before);
}
