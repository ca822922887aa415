#include "rag/answer/answer_read.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "rag/fakes.h"

using namespace frugal;
using namespace frugal::testing;

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

// Puts a logit at both ends of the span of some words of a text whose tokens are bytes.
void make_likely(ChunkReading& read, const std::string& text, const std::string& words, float likely) {
  read.reading.begin[text.find(words)] = read.reading.end[text.find(words) + words.size() - 1] = likely;
}

std::string words_of(const std::vector<Hit>& hits, const AnswerSpan& answer) {
  return hits[answer.place.hit].chunk.text.substr(answer.place.begin, answer.place.end - answer.place.begin);
}

}  // namespace

TEST_CASE("the likeliest span of all chunks that were read is the answer") {
  const std::string one = "built in 1932 by hand", other = "painted in 1950";
  const std::vector<Hit> hits = {hit_of(7, one), hit_of(8, other), hit_of(9, "unread")};
  std::unordered_map<int64_t, ChunkReading> readings;
  CHECK_FALSE(read_answer(hits, readings, nullptr));
  readings[7] = reading_of(one, 9, 13, 8, 2);
  readings[8] = reading_of(other, 11, 15, 8, -2);
  auto answer = read_answer(hits, readings, nullptr);
  REQUIRE(answer);
  CHECK(answer->place.hit == 0);
  CHECK(one.substr(answer->place.begin, answer->place.end - answer->place.begin) == "1932");
  readings[8].score = 4;
  answer = read_answer(hits, readings, nullptr);
  CHECK(answer->place.hit == 1);
  CHECK(other.substr(answer->place.begin, answer->place.end - answer->place.begin) == "1950");
}

TEST_CASE("an answer keeps its number whole, whatever the ends that are likeliest") {
  const std::string text = "licença com a duração de cento e vinte dias";
  const std::vector<Hit> hits = {hit_of(1, text)};
  std::unordered_map<int64_t, ChunkReading> readings;
  readings[1] = reading_of(text, text.find("inte"), text.size(), 9, 0);
  const auto answer = read_answer(hits, readings, nullptr);
  REQUIRE(answer);
  CHECK(text.substr(answer->place.begin) == "cento e vinte dias");
  CHECK(answer->place.end == text.size());
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
  const auto answer = read_answer(hits, readings, nullptr);
  REQUIRE(answer);
  CHECK(answer->place.begin == 0);
  CHECK(answer->place.end == 2);
  CHECK(std::exp(answer->features.certainty + answer->features.share) == doctest::Approx(6.0 / (2 + 6 + 3 + 5)));
}

TEST_CASE("an answer never ends before it begins, nor is it longer than thirty tokens") {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "x ";
  const std::vector<Hit> hits = {hit_of(1, text)};
  std::unordered_map<int64_t, ChunkReading> readings;
  readings[1] = reading_of(text, 50, 51, 0, 0);
  readings[1].reading.begin[60] = readings[1].reading.end[40] = readings[1].reading.end[95] = 9;
  const auto answer = read_answer(hits, readings, nullptr);
  REQUIRE(answer);
  CHECK(answer->place.end > answer->place.begin);
  CHECK(answer->place.end - answer->place.begin <= 30);
  readings[1].pieces.clear();
  readings[1].reading.begin.clear();
  readings[1].reading.end.clear();
  CHECK_FALSE(read_answer(hits, readings, nullptr));
}

TEST_CASE("further answers come from other chunks, close to the best one and in other words") {
  const std::string one = "built in 1932 by hand", same = "Opened in 1932, too", other = "painted in 1950",
                    weak = "sold in 1960";
  const std::vector<Hit> hits = {hit_of(1, one), hit_of(2, same), hit_of(3, other), hit_of(4, weak)};
  std::unordered_map<int64_t, ChunkReading> readings;
  readings[1] = reading_of(one, 9, 13, 8, 2);
  readings[2] = reading_of(same, 10, 14, 8, 1.9f);
  readings[3] = reading_of(other, 11, 15, 8, 1.5f);
  readings[4] = reading_of(weak, 8, 12, 8, -1);
  const std::vector<AnswerSpan> answers = read_answers(hits, readings, nullptr, 3);
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].place.hit == 0);
  CHECK(answers[1].place.hit == 2);
  CHECK(read_answers(hits, readings, nullptr, 1).size() == 1);
  readings[3].reading.none = 20;  // no answer is far likelier in its chunk
  CHECK(read_answers(hits, readings, nullptr, 3).size() == 1);
}

TEST_CASE("another sentence of the same chunk is a further answer if it is hardly less likely") {
  const std::string text = "It was built in 1932, as most of those who saw it say. Others say it was in 1950.";
  const std::vector<Hit> hits = {hit_of(1, text)};
  std::unordered_map<int64_t, ChunkReading> readings;
  readings[1] = reading_of(text, text.find("1932"), text.find("1932") + 4, 12, 0);
  make_likely(readings[1], text, "1950", 10);  // e^−4 as likely
  std::vector<AnswerSpan> answers = read_answers(hits, readings, nullptr, 3);
  REQUIRE(answers.size() == 2);
  CHECK(words_of(hits, answers[0]) == "1932");
  CHECK(words_of(hits, answers[1]) == "1950");
  make_likely(readings[1], text, "1950", 9);  // e^−6
  CHECK(read_answers(hits, readings, nullptr, 3).size() == 1);
}

TEST_CASE("between sentences that are nearly as likely, the words of the question decide") {
  FakeStore store;
  const std::string text = "The mill was painted in 1931, as those who saw it say. The bridge was built in 1932.";
  store.add("a.md", text);
  const std::vector<Hit> hits = {hit_of(1, text)};
  std::unordered_map<int64_t, ChunkReading> readings;
  readings[1] = reading_of(text, text.find("1931"), text.find("1931") + 4, 12, 0);
  const Evidence evidence(split_words("When was the bridge built?"), Language::english, {}, store);
  make_likely(readings[1], text, "1932", 10.5f);
  CHECK(words_of(hits, *read_answer(hits, readings, nullptr)) == "1931");
  CHECK(words_of(hits, *read_answer(hits, readings, &evidence)) == "1932");
  make_likely(readings[1], text, "1932", 5);
  CHECK(words_of(hits, *read_answer(hits, readings, &evidence)) == "1931");
}

TEST_CASE("a sentence with several likely spans is likelier than one with the likeliest, and gives its best one") {
  const std::string text = "It was begun in 1931, as those who saw it say. In the end it was Ann, Bob or Eve.";
  const std::vector<Hit> hits = {hit_of(1, text)};
  std::unordered_map<int64_t, ChunkReading> readings;
  readings[1] = reading_of(text, text.find("1931"), text.find("1931") + 4, 12, 0);
  make_likely(readings[1], text, "Ann", 11.8f);
  CHECK(words_of(hits, *read_answer(hits, readings, nullptr)) == "1931");
  make_likely(readings[1], text, "Bob", 11.9f);  // with "Ann, Bob": three spans of some e^−0.3
  const std::vector<AnswerSpan> answers = read_answers(hits, readings, nullptr, 3);
  REQUIRE(answers.size() == 2);
  CHECK(words_of(hits, answers[0]) == "Bob");
  CHECK(words_of(hits, answers[1]) == "1931");
  CHECK(answers[0].features.certainty < answers[1].features.certainty);  // of the span alone
}

TEST_CASE("a span in a question moves to the text that answers it, and one in links or a note is none") {
  const std::string faq = "Can I return a book?\nOf course, in 30 days.\nWho pays?\nYou do.";
  const std::vector<Hit> hits = {hit_of(1, faq)};
  std::unordered_map<int64_t, ChunkReading> readings;
  readings[1] = reading_of(faq, 6, 19, 8, 0);  // "return a book"
  readings[1].reading.begin[faq.find("30")] = readings[1].reading.end[faq.find(" days") + 4] = 3;
  readings[1].reading.begin[faq.find("You")] = 4;  // in the answer to another question
  const auto answer = read_answer(hits, readings, nullptr);
  REQUIRE(answer);
  CHECK(faq.substr(answer->place.begin, answer->place.end - answer->place.begin) == "30 days");

  const std::string law = "O prazo é de dez dias. (Redação dada pela Lei nº 12.010, de 2009)";
  readings[2] = reading_of(law, law.find("12.010"), law.find("12.010") + 6, 9, 0);
  const auto stated = read_answer(std::vector<Hit>{hit_of(2, law)}, readings, nullptr);
  REQUIRE(stated);
  CHECK(stated->place.end <= law.find('('));
  const std::string note = "(Revogado pela Lei nº 12.010)";
  readings[3] = reading_of(note, 1, 9, 9, 0);
  CHECK_FALSE(read_answer(std::vector<Hit>{hit_of(3, note)}, readings, nullptr));
}
