// The words of a text for search: case and accents folded, numbers in one form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

/// `text` case-folded and compatibility-decomposed, without marks and soft hyphens: "Ação Nº" → "acao no", "ß" → "ss".
std::string fold(std::string_view text);

/// A word and its byte range. A number with its separators is one word; its folded form drops thousands separators and
/// ordinal marks: "8.078" → 8078, "121-A" → 121-a, "10,5" → 10,5, "1º" → 1. words.cpp has the full rule. Texts are at
/// most 4 GiB.
struct Word {
  std::string folded;
  uint32_t begin = 0;
  uint32_t end = 0;
};
std::vector<Word> split_words(std::string_view text);

}  // namespace frugal
