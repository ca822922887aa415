#include "rag/summary/summary_length.h"

#include <doctest/doctest.h>

using namespace frugal;

TEST_CASE("the tokens for a summary follow those of its text, which it is never longer than") {
  const char* const text = "Ten words are here, of which each takes two tokens.";
  REQUIRE(count_words(text) == 10);
  CHECK(tokens_for_words(5, text, 20) == 13);
  CHECK(tokens_for_words(10, text, 20) == 26);
  CHECK(tokens_for_words(1'000'000, text, 20) == 26);
  CHECK(tokens_for_words(1'000'000, "", 0) == 2);
}
