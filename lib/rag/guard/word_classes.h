// The closed word classes of Portuguese and English by which the guard reads a question: negations, polarity pairs,
// comparatives, question words, determiners, units, months, and the frames around a question ("could you tell me").
// Folded words. Lists only: question_form.cpp has the rules.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "rag/guard/question_form.h"
#include "rag/text/language.h"

namespace frugal {

/// The class of a word with a special one; nullopt for any other word.
std::optional<FormKind> special_class(std::string_view word, Language language);

/// A contraction as its parts: "do" is the preposition "de" and an article of gender m.
struct WordParts {
  std::string_view preposition;  // empty: only a determiner
  char determiner = 0;
};
std::optional<WordParts> determiner_of(std::string_view word, Language language);

/// A form with the same meaning, else the word: "quais" → "qual", "nt" → "not".
std::string_view usual_form(std::string_view word, Language language);

/// 1 to 12; 0 if the word is no month of the language.
int month_of(std::string_view word, Language language);
/// A unit's symbol ("km", "%", "BRL"), for a word behind a number; empty if it is none.
std::string_view unit_of(std::string_view word);
/// 1,000 for "mil"; 0 if the word is no scale.
int64_t scale_of(std::string_view word, Language language);
bool is_ordinal_word(std::string_view word);

/// The number of words at the beginning that only introduce a question ("gostaria de saber"); 0: none. A word that the
/// introduction governs ("se", "whether") counts, too.
size_t opener_length(std::span<const std::string_view> words, Language language);
/// The number of words at the end that only close it ("por favor").
size_t closer_length(std::span<const std::string_view> words, Language language);

/// "is", "são": a present copula, which a question may lack.
bool is_copula(std::string_view word, Language language);
/// True if the words before and behind a provision ask for its text and for nothing else.
bool is_text_frame(std::span<const std::string_view> before, std::span<const std::string_view> behind,
                   Language language);

/// True if the singular and the plural of these words are different things: "bem" and "bens", "custom" and "customs".
bool changes_in_plural(std::string_view word);
/// True if an accent makes another word of it, so that one typed without accents is not understood: secretaria.
bool is_homograph(std::string_view word);

}  // namespace frugal
