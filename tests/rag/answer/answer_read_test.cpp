#include "rag/answer/answer_read.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

using namespace frugal;

namespace {

Hit hit_of(int64_t id, std::string text) {
  Hit hit;
  hit.chunk.id = id;
  hit.chunk.text = std::move(text);
  return hit;
}

// A reading in which each token is a byte, with no more than `likely` logits at the ends of the span.
ChunkReading reading_of(const std::string& text, size_t begin, size_t end, float likely, float score) {
  ChunkReading read;
  read.score = score;
  read.reading.begin.assign(text.size(), 0);
  read.reading.end.assign(text.size(), 0);
  read.reading.begin[begin] = likely;
  read.reading.end[end - 1] = likely;
  for (size_t i = 0; i < text.size(); ++i) read.pieces.push_back({0, uint32_t(i), uint32_t(i + 1)});
  return read;
}

std::vector<std::string> quoted(const std::string& text, const std::string& answer, uint32_t max_bytes = 1200) {
  const std::vector<Hit> hits = {hit_of(1, text)};
  const auto begin = static_cast<uint32_t>(text.find(answer));
  REQUIRE(begin < text.size());
  std::vector<std::string> quotes;
  for (const Quote& quote : quotes_around(hits, {{0, begin, begin + uint32_t(answer.size())}, {}}, max_bytes))
    quotes.push_back(text.substr(quote.begin, quote.end - quote.begin));
  return quotes;
}

}  // namespace

TEST_CASE("the likeliest span of all chunks that were read is the answer") {
  const std::string one = "built in 1932 by hand", other = "painted in 1950";
  const std::vector<Hit> hits = {hit_of(7, one), hit_of(8, other), hit_of(9, "unread")};
  std::unordered_map<int64_t, ChunkReading> readings;
  CHECK_FALSE(read_answer(hits, readings));
  readings[7] = reading_of(one, 9, 13, 8, 2);
  readings[8] = reading_of(other, 11, 15, 8, -2);
  auto answer = read_answer(hits, readings);
  REQUIRE(answer);
  CHECK(answer->place.hit == 0);
  CHECK(one.substr(answer->place.begin, answer->place.end - answer->place.begin) == "1932");
  readings[8].score = 4;
  answer = read_answer(hits, readings);
  CHECK(answer->place.hit == 1);
  CHECK(other.substr(answer->place.begin, answer->place.end - answer->place.begin) == "1950");
}

TEST_CASE(
    "a span is as certain as its share of all spans and none, and its chunk as likely as its share of those read") {
  const std::string text = "ab";
  const std::vector<Hit> hits = {hit_of(1, text)};
  std::unordered_map<int64_t, ChunkReading> readings;
  ChunkReading& read = readings[1];
  read.pieces = {{0, 0, 1}, {0, 1, 2}};
  read.reading = {.relevance = 0,
                  .answerable = 0,
                  .none = std::log(5.0f),
                  .begin = {std::log(2.0f), 0},
                  .end = {0, std::log(3.0f)}};
  // Spans a, ab, b: 2·1, 2·3, 1·3; none: 5.
  const auto answer = read_answer(hits, readings);
  REQUIRE(answer);
  CHECK(answer->place.begin == 0);
  CHECK(answer->place.end == 2);
  CHECK(std::exp(answer->features.certainty + answer->features.share) == doctest::Approx(6.0 / (2 + 6 + 3 + 5)));
}

TEST_CASE("an answer never ends before it begins, nor is it longer than thirty tokens") {
  const std::string text(100, 'x');
  const std::vector<Hit> hits = {hit_of(1, text)};
  std::unordered_map<int64_t, ChunkReading> readings;
  readings[1] = reading_of(text, 50, 51, 0, 0);
  readings[1].reading.begin[60] = readings[1].reading.end[40] = readings[1].reading.end[95] = 9;
  const auto answer = read_answer(hits, readings);
  REQUIRE(answer);
  CHECK(answer->place.end > answer->place.begin);
  CHECK(answer->place.end - answer->place.begin <= 30);
  readings[1].pieces.clear();
  readings[1].reading.begin.clear();
  readings[1].reading.end.clear();
  CHECK_FALSE(read_answer(hits, readings));
}

TEST_CASE("the sentence around a span is quoted, and both if it crosses from one to the next") {
  CHECK(quoted("The market opens at six. The bridge was finished in 1932. It is red.", "1932") ==
        std::vector<std::string>{"The bridge was finished in 1932."});
  CHECK(quoted("It rained. The bridge is red. It is long. It is old.", "red. It is") ==
        std::vector<std::string>{"The bridge is red. It is long."});
}

TEST_CASE("an item of a list comes with the words that introduce the list, and those with the items") {
  const std::string law =
      "A idade mínima para ser eleito é de:\n\nI - trinta e cinco anos para Presidente;\n\nII - trinta anos para "
      "Governador;\n\nIII - dezoito anos para Vereador.";
  CHECK(quoted(law, "trinta anos") ==
        std::vector<std::string>{"A idade mínima para ser eleito é de:", "II - trinta anos para Governador;"});
  CHECK(quoted(law, "trinta e cinco anos") ==
        std::vector<std::string>{"A idade mínima para ser eleito é de:\n\nI - trinta e cinco anos para Presidente;"});
  CHECK(quoted(law, "idade mínima") == std::vector<std::string>{law});
}

TEST_CASE("a question or a heading is not an answer: the sentence after it is") {
  CHECK(quoted("What is the warranty period?\n\nThe warranty lasts 24 months. Keep the receipt.", "warranty period") ==
        std::vector<std::string>{"The warranty lasts 24 months."});
  CHECK(quoted("# Warranty period\n\nIt lasts 24 months.", "Warranty period") ==
        std::vector<std::string>{"It lasts 24 months."});
}

TEST_CASE("a quote is bounded, holds the span, and never splits a character") {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "ção e ";
  text += "o prazo é de trinta dias";
  for (const uint32_t max : {40u, 41u, 42u, 43u, 100u}) {
    const auto quotes = quoted(text, "trinta dias", max);
    REQUIRE(quotes.size() == 1);
    CHECK(quotes[0].size() <= max);
    CHECK(quotes[0].find("trinta") != std::string::npos);
    CHECK((static_cast<unsigned char>(quotes[0][0]) & 0xC0) != 0x80);
  }
}
