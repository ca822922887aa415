// The words of a text as search sees them: case and accents folded, stemmed by language.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

enum class Language : uint8_t { unknown = 0, english = 1, portuguese = 2 };
std::string_view to_string(Language language);  // "en", "pt", "unknown"

/// By function words and letters typical of each language; unknown where neither prevails. Linear, no model.
Language detect_language(std::string_view text);

/// UTF-8 with every ill-formed byte replaced by U+FFFD (Unicode's maximal-subpart practice).
std::string repair_utf8(std::string_view text);
bool is_valid_utf8(std::string_view text);

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

/// Function words of a language, folded.
bool is_stop_word(std::string_view folded, Language language);

/// Snowball stemmers. A word with a digit is never stemmed; unknown stems nothing. Not thread-safe: one a thread.
class Stemmer {
 public:
  explicit Stemmer(Language language);
  ~Stemmer();
  Stemmer(Stemmer&&) noexcept;
  Stemmer& operator=(Stemmer&&) noexcept;
  /// Stem of a word in folded form; the result is folded too, and the same however the word was accented.
  std::string stem(std::string_view folded) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A sentence of a text, as byte range; abbreviations of legal and common use ("art.", "Dr.", "nº") do not end one.
struct Sentence {
  uint32_t begin = 0;
  uint32_t end = 0;
};
std::vector<Sentence> split_sentences(std::string_view text);

}  // namespace frugal
