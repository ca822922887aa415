#include "rag/quote/several.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "base/one_of.h"

namespace frugal {
namespace {

bool is_plural(std::string_view word) {
  return is_one_of(word, {"casos",      "hipoteses", "situacoes", "condicoes", "requisitos", "motivos", "exemplos",
                          "maneiras",   "formas",    "tipos",     "cases",     "situations", "ways",    "circumstances",
                          "conditions", "reasons",   "examples",  "kinds",     "types",      "sorts"});
}

bool is_number(std::string_view word) {
  return is_one_of(word, {"two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "dois", "duas",
                          "tres", "quatro", "cinco", "seis", "sete", "oito", "nove", "dez"});
}

}  // namespace

bool asks_for_several(std::span<const Word> words) {
  const auto word = [&](size_t i) { return i < words.size() ? std::string_view(words[i].folded) : std::string_view(); };
  if (is_one_of(word(0), {"cite", "liste", "enumere", "relacione", "list", "enumerate"})) return true;
  if (word(0) == "name" && (is_number(word(1)) || is_one_of(word(1), {"some", "all", "several", "the"}))) return true;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view next = word(i + 1);
    if (word(i) == "quais") return true;
    if (is_one_of(word(i), {"which", "what"}) &&
        (is_one_of(next, {"are", "were"}) || is_number(next) || is_plural(next)))
      return true;
    if (word(i) == "que" && (is_number(next) || is_plural(next))) return true;
  }
  return false;
}

}  // namespace frugal
