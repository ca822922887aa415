// A question in the form in which the guard of the semantic cache compares it (guard.h): what it says, in order,
// without the differences of writing that change nothing. Closed lists of function words (word_classes.h), numbers,
// units and dates are all that it knows of a language; every other word stays itself, so that unknown words never
// become equal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rag/law/provision.h"
#include "rag/text/language.h"
#include "rag/text/words.h"

namespace frugal {

/// What a token of a question is. The guard reports the first of these in which two questions differ.
enum class FormKind : uint8_t {
  provision,
  date,
  amount,
  number,
  unit,
  negation,
  polarity,     // a word whose antonym is another one: permitido, minimum, before
  comparative,  // mais, less, superior; superlatives too
  question,     // quem, when; of the question's frame
  name,         // a word with a capital inside the sentence
  word,
  symbol,
};
std::string_view to_string(FormKind kind);

struct FormToken {
  FormKind kind = FormKind::word;
  std::string value;    // normal form: "30", "2020-05-01", "BRL 5000", "br/lgpd, art. 5", a folded word
  std::string stem;     // of a word: equal for its inflections; else the value
  std::string accents;  // the marks of its letters, in order
  char determiner = 0;  // the article before it, by gender and definiteness: o m, a f, um M, uma F, the d, a/an i
  bool has_capital = false;
  bool is_acronym = false;  // all capitals, inside a text that has small letters
  bool is_first = false;    // of the text: a capital says nothing
};

struct QuestionForm {
  Language language = Language::unknown;
  std::vector<FormToken> tokens;
  bool asks_text = false;    // for the text of its provisions, and nothing else: "o que diz o art. 5?"
  bool has_accents = false;  // of any word outside provisions
  bool has_names = false;    // a capital that is not the first letter of the text, and small letters

  /// Equal for all questions that the guard may find equal, and for few others: by it neighbours are found.
  std::string signature() const;
};

/// Reads a question. words: split_words(text). provisions: find_provisions(text, words, laws). Pure; any bytes are
/// accepted.
QuestionForm read_form(std::string_view text, const LawTable& laws);

}  // namespace frugal
