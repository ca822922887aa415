#include "rag/answer/question.h"

#include <doctest/doctest.h>

#include "rag/index_fakes.h"
#include "support/errors.h"

using namespace frugal;
using frugal::testing::error_of;

TEST_CASE("parsing a question gives the words, language and provisions of its text") {
  const LawTable laws = testing::few_laws();
  for (const char* text : {"O que diz o art. 72 do CP, e o art. 4º, § 3º, da LGPD?",
                           "who drew the plans of the bridge?", "art. 5º CF", "navios"}) {
    INFO(text);
    const Question question = read_question(text, laws);
    CHECK(question.text == text);
    const std::vector<Word> words = split_words(text);
    REQUIRE(question.words.size() == words.size());
    for (size_t i = 0; i < words.size(); ++i) {
      CHECK(question.words[i].folded == words[i].folded);
      CHECK(question.words[i].begin == words[i].begin);
    }
    CHECK(question.language == detect_language(text));
    const std::vector<FoundProvision> provisions = find_provisions(text, laws);
    REQUIRE(question.provisions.size() == provisions.size());
    for (size_t i = 0; i < provisions.size(); ++i) {
      CHECK(question.provisions[i].reference == provisions[i].reference);
      CHECK(question.provisions[i].begin == provisions[i].begin);
      CHECK(question.provisions[i].end == provisions[i].end);
    }
  }
}

TEST_CASE("a text that is not a question is refused with a hint") {
  const LawTable laws;
  for (const std::string& text : {std::string(), std::string(" \n"), std::string("?!"), std::string("a\xff"),
                                  std::string(kMaxQuestionBytes + 1, 'a')}) {
    const auto read = error_of([&] { read_question(text, laws); });
    const auto checked = error_of([&] { check_question(text); });
    REQUIRE(read.has_value());
    REQUIRE(checked.has_value());
    CHECK(read->code() == Code::bad_input);
    CHECK(!read->hint().empty());
    CHECK(checked->message() == read->message());
  }
  CHECK(read_question(std::string(kMaxQuestionBytes, 'a'), laws).words.size() == 1);
}
