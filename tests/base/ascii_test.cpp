#include "base/ascii.h"

#include <doctest/doctest.h>

using namespace frugal;

TEST_CASE("a digit is one of ten, never part of another character") {
  for (const char c : {'0', '5', '9'}) CHECK(is_digit(c));
  for (const char c : {'/', ':', 'a', '\xb2', '\xff'}) CHECK_FALSE(is_digit(c));
  CHECK_FALSE(is_digit(U'\u0665'));  // ARABIC-INDIC DIGIT FIVE
  CHECK(is_digits("8078"));
  CHECK_FALSE(is_digits(""));
  CHECK_FALSE(is_digits("8.078"));
}

TEST_CASE("white space becomes single and goes from the ends; nothing else changes") {
  CHECK(collapse_spaces("  what \n is\tit?\r\n ") == "what is it?");
  CHECK(collapse_spaces("What is it?") != collapse_spaces("what is it?"));
  CHECK(collapse_spaces("a\u00a0 b") == "a\u00a0 b");  // a no-break space is a character
  CHECK(collapse_spaces(" \n ") == "");
  CHECK(collapse_spaces("") == "");
}

TEST_CASE("a trimmed text begins and ends with something, or is empty") {
  CHECK(trim(" \t a b\r\n") == "a b");
  CHECK(trim("a") == "a");
  CHECK(trim(" \n ").empty());
  CHECK(trim("").empty());
}

TEST_CASE("the bytes of a character but its first continue it") {
  for (const std::string_view character : {"a", "\u00e9", "\u20ac", "\U0001f600"})
    for (size_t i = 0; i < character.size(); ++i) CHECK(is_continuation(character[i]) == (i > 0));
}
