#include "base/units.h"

#include <doctest/doctest.h>

#include <string>

#include "base/error.h"

using namespace frugal;

TEST_CASE("sizes are read with binary and decimal units, fractions, blanks and any case") {
  struct Case {
    const char* text;
    uint64_t bytes;
  };
  for (const Case c : {Case{"4096", 4096}, Case{"0", 0}, Case{"64MiB", 64ull << 20}, Case{"1.5G", 3ull << 29},
                       Case{"200 MB", 200'000'000}, Case{"1k", 1024}, Case{"1KB", 1000}, Case{"2TiB", 2ull << 40},
                       Case{"7b", 7}, Case{"3 gib", 3ull << 30}}) {
    CAPTURE(c.text);
    CHECK(parse_bytes(c.text) == c.bytes);
  }
}

TEST_CASE("what is not a size is a usage error that names the flag and shows how to write one") {
  for (const char* text :
       {"", "MiB", "-1", "1.5.2G", "12 apples", "1KiBB", "nan", "inf", "1e30", "9300PB", "99999999T"}) {
    CAPTURE(text);
    try {
      parse_bytes(text, "--memory-budget");
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == Code::usage);
      CHECK(error.message().find("--memory-budget") != std::string::npos);
      CHECK(!error.hint().empty());
    }
  }
}

TEST_CASE("sizes are written with one decimal in the largest unit that fits") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(1024) == "1.0 KiB");
  CHECK(format_bytes(64 * kMiB) == "64.0 MiB");
  CHECK(format_bytes(kGiB + kGiB / 2) == "1.5 GiB");
  CHECK(format_bytes(~uint64_t(0)) == "16.0 EiB");
}

TEST_CASE("nanoseconds are told in milliseconds, fractions and signs kept") {
  CHECK(to_milliseconds(2'500'000) == 2.5);
  CHECK(to_milliseconds(-1) == -1e-6);
  CHECK(to_milliseconds(0) == 0);
}
