// A question, parsed once: its words, its language and the provisions that it names. All stages share the result; a
// stage that needs more facts about a question adds them here.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rag/law/provision.h"
#include "rag/text/language.h"
#include "rag/text/words.h"

namespace frugal {

/// Longer questions are refused: they are documents, and no embedder here reads a tenth of this.
inline constexpr size_t kMaxQuestionBytes = 16 * 1024;

struct Question {
  std::string text;
  std::vector<Word> words;                 // at least one
  Language language = Language::unknown;   // detected from its words; unknown: neither prevails
  std::vector<FoundProvision> provisions;  // in the order of the text
};

/// Parses a question; `laws` has the names of laws. Throws what check_question() throws.
Question read_question(std::string_view text, const LawTable& laws);

/// Throws Error(bad_input) for a question that is empty, longer than kMaxQuestionBytes or not UTF-8.
void check_question(std::string_view text);

}  // namespace frugal
