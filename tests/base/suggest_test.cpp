#include "base/suggest.h"

#include <doctest/doctest.h>

#include <vector>

using namespace frugal;

TEST_CASE("edit distance counts insertions, deletions, substitutions and swaps of neighbours") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("ab", "ba") == 1);
  CHECK(edit_distance("stauts", "status") == 1);
  CHECK(edit_distance("same", "same") == 0);
}

TEST_CASE("the nearest name is suggested only where it is near") {
  const std::vector<std::string> names = {"--top-k", "--threads", "status", "add"};
  CHECK(nearest_name("--topk", names) == "--top-k");
  CHECK(nearest_name("stauts", names) == "status");
  CHECK(nearest_name("ad", names) == "add");
  CHECK(nearest_name("completely", names).empty());
  CHECK(nearest_name(std::string(1'000'000, 'a'), names).empty());
  CHECK(nearest_name("x", {}).empty());
}
