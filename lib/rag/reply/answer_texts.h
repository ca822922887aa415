// The texts of the tool that are part of an answer, in the languages of questions. Errors, explanations and the names
// in JSON are English everywhere.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "rag/text/language.h"

namespace frugal {

/// Texts with {} take arguments, by fill().
struct AnswerTexts {
  // Abstentions, and why
  std::string_view not_in_sources;
  std::string_view no_passage_passes, nothing_found, no_support, nothing_to_quote, generator_found_nothing;
  std::string_view not_held, none_that_passes_holds;  // {}: provisions
  // Why a quote stands instead of a generated answer, or what became of one
  std::string_view auto_no_generator, auto_unreadable, auto_small, auto_unusable;  // auto_unusable: {} is the error
  std::string_view generator_failed, broke_off;                                    // {}: the error
  std::string_view too_late, repeated_itself, not_borne_out;
  std::string_view sentences_dropped;  // {}: how many
  // Remarks
  std::string_view in_several_laws;  // {}: a provision, the number of laws, their titles
  // Around an answer
  std::string_view note, nearest, modified, gone;
  std::string_view page;  // {}: a path, a number
  std::string_view images, generated;
  std::string_view about_image;  // {}: the name of a model
};

/// In Portuguese for Portuguese, else in English.
const AnswerTexts& answer_texts(Language language);

/// One of the texts with its arguments.
template <typename... Args>
std::string fill(std::string_view text, const Args&... args) {
  return fmt::format(fmt::runtime(text), args...);
}

}  // namespace frugal
