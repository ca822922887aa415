#include "net/sse.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace frugal {
namespace {

std::vector<std::string> events(std::string_view stream, size_t cut) {
  std::vector<std::string> found;
  SseParser parser([&](std::string_view data) {
    found.emplace_back(data);
    return true;
  });
  CHECK(parser.push(stream.substr(0, cut)));
  CHECK(parser.push(stream.substr(cut)));
  return found;
}

TEST_CASE("a stream of events is the same however it is cut") {
  const std::string stream =
      "\xEF\xBB\xBF: a comment\r\n"
      "data: {\"a\":1}\r\n\r\n"
      "event: named\ndata:no space\nid: 7\n\n"
      "data: first\rdata:  second\rdata\r\r"
      "retry: 10\n\n"
      "data:\n\n"
      "database: no\n\n"
      "data: [DONE]\n\n"
      "data: without an end\n";
  const std::vector<std::string> expected = {"{\"a\":1}", "no space", "first\n second\n", "", "[DONE]"};
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    CAPTURE(cut);
    CHECK(events(stream, cut) == expected);
  }
  std::vector<std::string> by_byte;
  SseParser parser([&](std::string_view data) {
    by_byte.emplace_back(data);
    return true;
  });
  for (const char byte : stream) CHECK(parser.push(std::string_view(&byte, 1)));
  CHECK(by_byte == expected);
}

TEST_CASE("a sink that wants no more ends the stream") {
  int taken = 0;
  SseParser parser([&](std::string_view) { return ++taken < 2; });
  CHECK_FALSE(parser.push("data: 1\n\ndata: 2\n\ndata: 3\n\n"));
  CHECK(taken == 2);
  CHECK_FALSE(parser.push("data: 4\n\n"));
  CHECK(taken == 2);
  CHECK_FALSE(parser.overflowed());
}

TEST_CASE("an event without end is refused") {
  SseParser parser([](std::string_view) { return true; }, 100);
  CHECK(parser.push("data: " + std::string(80, 'x')));
  CHECK_FALSE(parser.push(std::string(80, 'x')));
  CHECK(parser.overflowed());
}

}  // namespace
}  // namespace frugal
