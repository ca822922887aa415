#include "rag/answer/question.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/utf8.h"

namespace frugal {
namespace {

std::vector<Word> checked_words(std::string_view text) {
  if (text.size() > kMaxQuestionBytes)
    throw Error(Code::bad_input,
                fmt::format("the question has {} bytes, the limit is {}", text.size(), kMaxQuestionBytes))
        .hint("ask in a few sentences; to search by a whole document, index it and ask about it");
  if (!is_valid_utf8(text))
    throw Error(Code::bad_input, "the question is not UTF-8").hint("convert it, for example with iconv -t UTF-8");
  std::vector<Word> words = split_words(text);
  if (words.empty())
    throw Error(Code::bad_input, "the question is empty").hint("write what you want to know, with at least one word");
  return words;
}

}  // namespace

Question read_question(std::string_view text, const LawTable& laws) {
  Question question{std::string(text), checked_words(text), Language::unknown, {}};
  question.language = detect_language(text, question.words);
  question.provisions = find_provisions(text, question.words, laws);
  return question;
}

void check_question(std::string_view text) {
  checked_words(text);
}

}  // namespace frugal
