// A question, read once: its words, its language and the provisions that it names. Every stage borrows it; a stage that
// needs to know more of a question adds it here.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rag/law/provision.h"
#include "rag/text/language.h"
#include "rag/text/words.h"

namespace frugal {

/// A question longer than this is refused: it is a document, and no embedder here reads a tenth of it.
inline constexpr size_t kMaxQuestionBytes = 16 * 1024;

struct Question {
  std::string text;
  std::vector<Word> words;                 // at least one
  Language language = Language::unknown;   // by its own words; unknown where neither language prevails
  std::vector<FoundProvision> provisions;  // in the order of the text
};

/// Throws Error(bad_input) as check_question() does.
Question read_question(std::string_view text, const LawTable& laws);

/// Throws Error(bad_input) for a question that is empty, longer than kMaxQuestionBytes or not UTF-8.
void check_question(std::string_view text);

}  // namespace frugal
