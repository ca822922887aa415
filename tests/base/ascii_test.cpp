#include "base/ascii.h"

#include <doctest/doctest.h>

using namespace frugal;

TEST_CASE("white space becomes single and goes from the ends; nothing else changes") {
  CHECK(collapse_spaces("  what \n is\tit?\r\n ") == "what is it?");
  CHECK(collapse_spaces("What is it?") != collapse_spaces("what is it?"));
  CHECK(collapse_spaces("a\u00a0 b") == "a\u00a0 b");  // a no-break space is a character
  CHECK(collapse_spaces(" \n ") == "");
  CHECK(collapse_spaces("") == "");
}
