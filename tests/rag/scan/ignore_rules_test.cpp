#include "rag/scan/ignore_rules.h"

#include <doctest/doctest.h>

#include <string>

using namespace frugal;

namespace {

/// '-' for a path that no pattern matches, 'x' for one that is ignored, '+' for one that a '!' brings back.
char decision(std::string_view lines, const std::string& path, bool is_folder = false) {
  const auto ignored = IgnoreRules("/d", lines).ignores("/d/" + path, is_folder);
  return !ignored ? '-' : *ignored ? 'x' : '+';
}

}  // namespace

TEST_CASE("a name without slashes is ignored at any depth, one with a slash only below its base") {
  CHECK(decision("a.txt", "a.txt") == 'x');
  CHECK(decision("a.txt", "sub/deep/a.txt") == 'x');
  CHECK(decision("a.txt", "a.txt.bak") == '-');
  CHECK(decision("/a.txt", "a.txt") == 'x');
  CHECK(decision("/a.txt", "sub/a.txt") == '-');
  CHECK(decision("sub/a.txt", "sub/a.txt") == 'x');
  CHECK(decision("sub/a.txt", "deep/sub/a.txt") == '-');
  CHECK_FALSE(IgnoreRules("/d", "a.txt").ignores("/elsewhere/a.txt", false));
}

TEST_CASE("a slash at the end stands for folders only") {
  CHECK(decision("build/", "build", true) == 'x');
  CHECK(decision("build/", "sub/build", true) == 'x');
  CHECK(decision("build/", "build", false) == '-');
}

TEST_CASE("the last pattern that matches decides, and '!' brings back") {
  CHECK(decision("*.txt\n!keep.txt", "a.txt") == 'x');
  CHECK(decision("*.txt\n!keep.txt", "keep.txt") == '+');
  CHECK(decision("!keep.txt\n*.txt", "keep.txt") == 'x');
}

TEST_CASE("two stars stand for any number of folders") {
  CHECK(decision("**/a.txt", "a.txt") == 'x');
  CHECK(decision("**/a.txt", "b/c/a.txt") == 'x');
  CHECK(decision("b/**", "b/c/a.txt") == 'x');
  CHECK(decision("b/**", "b") == '-');
  CHECK(decision("b/**/a.txt", "b/a.txt") == 'x');
  CHECK(decision("b/**/a.txt", "b/c/d/a.txt") == 'x');
  CHECK(decision("b/*/a.txt", "b/c/d/a.txt") == '-');
}

TEST_CASE("comments, blank lines, line ends of Windows and escapes are read as Git reads them") {
  CHECK(decision("# a.txt\n\n \n", "a.txt") == '-');
  CHECK(decision("a.txt\r\nb.txt  \r\n", "a.txt") == 'x');
  CHECK(decision("a.txt\r\nb.txt  \r\n", "b.txt") == 'x');
  CHECK(decision("\\#a", "#a") == 'x');
  CHECK(decision("\\!a", "!a") == 'x');
  CHECK(decision("a\\ ", "a ") == 'x');
}

TEST_CASE("names match by stars, question marks, classes and escapes") {
  CHECK(matches_name("*.txt", ".txt"));
  CHECK(matches_name("a*b*c", "a-b-b-c"));
  CHECK_FALSE(matches_name("a*b*c", "a-c"));
  CHECK(matches_name("?.txt", "ç.txt"));
  CHECK(matches_name("[a-c]x", "bx"));
  CHECK_FALSE(matches_name("[!a-c]x", "bx"));
  CHECK(matches_name("[]]x", "]x"));
  CHECK(matches_name("[x", "[x"));
  CHECK(matches_name("\\*", "*"));
  CHECK_FALSE(matches_name("\\*", "a"));
  CHECK(matches_name("", ""));
  CHECK(matches_name("a\\", "a\\"));
  // A pattern of many stars takes no exponential time.
  std::string stars;
  for (int i = 0; i < 100; ++i) stars += "a*";
  CHECK_FALSE(matches_name(stars + "b", std::string(2000, 'a')));
}
