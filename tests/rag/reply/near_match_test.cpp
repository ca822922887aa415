#include "rag/reply/near_match.h"

#include <doctest/doctest.h>

#include <string>

using namespace frugal;

TEST_CASE("a text that says almost the same is found, with its place") {
  const std::string before(3 << 20, 'x');
  const std::string text = before + " Art. 5. O prazo para a entrega é de dez dias úteis. " + before;
  const auto near = find_near(text, "O prazo da entrega é de quinze dias úteis.");
  REQUIRE(near);
  CHECK(text.substr(near->begin, near->end - near->begin) == "O prazo para a entrega é de dez dias úteis");
  CHECK(near->share > kMinShare);
  CHECK(find_near("Now the shop never pays for it.", "The shop pays."));
}

TEST_CASE("other words, another order and quotes of two words are no near match") {
  CHECK_FALSE(find_near("The bridge was finished in 1932 by hand.", "Penguins swim in cold oceans."));
  CHECK_FALSE(find_near("five four three two one", "one two three four five"));
  CHECK_FALSE(find_near("one two", "one two"));
  CHECK_FALSE(find_near("", "one two three"));
  CHECK_FALSE(find_near("one two three", std::string(1 << 20, 'a')));
}
