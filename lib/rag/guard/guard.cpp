// The rules. Two questions are the same if, token by token and in the same order:
//
// - provisions, dates, amounts, numbers, units and symbols are identical;
// - words are identical or inflections for number of one word ("contrato", "contratos"). They have the same stem and
//   differ by a plural's ending only: a stemmer alone makes one word of "import" and "important". Words whose plural
//   is another thing are apart;
// - articles agree in gender and in definiteness, or one of them is missing;
// - accents agree, or one question is typed without any. A word that an accent turns into another one is then refused;
// - capitals of names agree, or one question is typed without any. An acronym that is a function word in small letters
//   (US, WHO) agrees only with itself.
//
// Order is compared as it is: "does A own B" and "does B own A" have the same words. Nothing is said about synonyms:
// a question in other words is a miss, unless question_form.cpp removes the difference.
#include "rag/guard/guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "rag/guard/word_classes.h"
#include "rag/text/language.h"

namespace frugal {
namespace {

bool is_text(const FormToken& token) {
  return token.kind >= FormKind::negation && token.kind <= FormKind::word;
}

bool is_plural_ending(std::string_view a, std::string_view b, Language language) {
  if (a.size() > b.size()) std::swap(a, b);
  if (a.empty() && b == "s") return true;
  if (language == Language::portuguese)
    return (a.empty() && (b == "es" || b == "m" || b == "em")) || (a == "l" && b == "is") || (a == "m" && b == "ns") ||
           (a == "ao" && b == "oes") || (a == "il" && b == "eis");
  return (a.empty() && b == "es") || (a == "y" && b == "ies");
}

bool is_same_word(const FormToken& a, const FormToken& b, Language language) {
  if (a.value == b.value) return true;
  if (a.stem != b.stem || a.kind == FormKind::negation || b.kind == FormKind::negation) return false;
  if (changes_in_plural(a.value) || changes_in_plural(b.value)) return false;
  const size_t shared = static_cast<size_t>(
      std::mismatch(a.value.begin(), a.value.end(), b.value.begin(), b.value.end()).first - a.value.begin());
  return shared >= 2 &&
         is_plural_ending(std::string_view(a.value).substr(shared), std::string_view(b.value).substr(shared), language);
}

bool is_same_token(const FormToken& a, const FormToken& b, Language language) {
  if (is_text(a) && is_text(b)) return is_same_word(a, b, language);
  return a.kind == b.kind && a.value == b.value;
}

// "" if the two ways of writing one word agree.
std::string writing_difference(const FormToken& a, const FormToken& b, const QuestionForm& left,
                               const QuestionForm& right) {
  if (a.determiner != 0 && b.determiner != 0 && a.determiner != b.determiner)
    return fmt::format("the article before '{}' differs", a.value);
  if (!is_text(a)) return {};
  if (a.accents != b.accents && (a.value == b.value) &&
      ((left.has_accents && right.has_accents) || is_homograph(a.value)))
    return fmt::format("the accents of '{}' differ", a.value);
  const bool is_function_word = is_stop_word(a.value, left.language) || special_class(a.value, left.language);
  if (a.is_acronym != b.is_acronym && is_function_word) return fmt::format("'{}' is an acronym in one", a.value);
  if (a.has_capital != b.has_capital && !a.is_first && !b.is_first && left.has_names && right.has_names)
    return fmt::format("'{}' is a name in one", a.value);
  return {};
}

std::vector<std::string> of_kind(const QuestionForm& form, FormKind kind) {
  std::vector<std::string> values;
  const bool any_word = kind == FormKind::word;
  for (const FormToken& token : form.tokens)
    if (token.kind == kind || (any_word && token.kind == FormKind::name))
      values.push_back(any_word ? token.stem : token.value);
  std::sort(values.begin(), values.end());
  return values;
}

std::string listed(const std::vector<std::string>& values) {
  return values.empty() ? "none" : fmt::format("{}", fmt::join(values, ", "));
}

// The first kind of token in which they differ, as a sorted list; or else the order.
std::string difference(const QuestionForm& a, const QuestionForm& b) {
  for (const FormKind kind : {FormKind::provision, FormKind::date, FormKind::amount, FormKind::number, FormKind::unit,
                              FormKind::negation, FormKind::polarity, FormKind::comparative, FormKind::question}) {
    const auto left = of_kind(a, kind), right = of_kind(b, kind);
    if (left != right) return fmt::format("{} differ: {} | {}", to_string(kind), listed(left), listed(right));
  }
  if (a.asks_text != b.asks_text) return "only one asks for the text of the provision";
  for (const FormKind kind : {FormKind::word, FormKind::symbol}) {
    const auto left = of_kind(a, kind), right = of_kind(b, kind);
    std::vector<std::string> only_left, only_right;
    std::set_difference(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(only_left));
    std::set_difference(right.begin(), right.end(), left.begin(), left.end(), std::back_inserter(only_right));
    if (!only_left.empty() || !only_right.empty())
      return fmt::format("{} differ: {} | {}", to_string(kind), listed(only_left), listed(only_right));
  }
  return "the order or the number of the words differs";
}

}  // namespace

GuardVerdict compare_questions(const QuestionForm& a, const QuestionForm& b) {
  if (a.language != b.language) return {false, "the languages differ"};
  const bool same = a.asks_text == b.asks_text &&
                    std::equal(a.tokens.begin(), a.tokens.end(), b.tokens.begin(), b.tokens.end(),
                               [&](const FormToken& x, const FormToken& y) { return is_same_token(x, y, a.language); });
  if (!same) return {false, difference(a, b)};
  for (size_t i = 0; i < a.tokens.size(); ++i)
    if (std::string why = writing_difference(a.tokens[i], b.tokens[i], a, b); !why.empty())
      return {false, std::move(why)};
  if (a.asks_text) return {true, fmt::format("both ask for the text of {}", listed(of_kind(a, FormKind::provision)))};
  return {true, "the same words in the same order"};
}

GuardVerdict compare_questions(std::string_view a, std::string_view b, const LawTable& laws) {
  return compare_questions(read_form(a, laws), read_form(b, laws));
}

}  // namespace frugal
