// The words of a text as search sees them: case and accents folded, numbers in one form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

/// Case-folded, compatibility-decomposed, marks and soft hyphens removed: "Ação Nº" → "acao no", "ß" → "ss".
std::string fold(std::string_view text);

/// A word with the bytes of the text it came from. A number with its separators is one word, folded without those of
/// thousands and without ordinal marks: "8.078" → 8078, "121-A" → 121-a, "10,5" → 10,5, "1º" → 1. The whole rule heads
/// words.cpp. Texts are at most 4 GiB.
struct Word {
  std::string folded;
  uint32_t begin = 0;
  uint32_t end = 0;
};
std::vector<Word> split_words(std::string_view text);

}  // namespace frugal
