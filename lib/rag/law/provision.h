// Provisions of laws, and references to them in any text: "art. 121-A, § 2º, inciso IV, alínea b, do CP". Parsed, not
// searched for: a number matches exactly, and Art. 72 is never Art. 75. For the structure of a law's own text, see
// legal.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rag/text/words.h"

namespace frugal {

/// A law or a part of one, each field in normal form; a field is empty if the reference does not name that part.
struct Provision {
  std::string law;        // id in the LawTable ("br/codigo-penal"), or "lei/8078/1990" for a law that it lacks
  std::string article;    // "121-A", "5": no ordinal mark, no thousands separator
  std::string paragraph;  // "2", "unico"
  std::string item;       // inciso, in Arabic digits: "4", "4-A"
  std::string letter;     // alínea: "b"
  bool operator==(const Provision&) const = default;
  auto operator<=>(const Provision&) const = default;  // NOLINT(modernize-use-nullptr): a mistake of clang-tidy 14
};
/// "br/codigo-penal, art. 121-A, § 2, inciso 4, alínea b".
std::string to_string(const Provision& reference);

/// Laws by name, abbreviation and number, from configs/references/*.yaml and the user's own files. Names are compared
/// folded and without articles and prepositions: "Código Defesa Consumidor" is "Código de Defesa do Consumidor". An
/// index stores the table as text, so that reading a question needs no YAML.
class LawTable {
 public:
  struct Law {
    std::string id;
    std::string title;
    std::vector<std::string> names;    // any spelling; matched folded, whole words
    std::vector<std::string> numbers;  // "Lei 8.078/1990"
  };
  /// Adds a law, which takes over names and numbers of laws added before. Throws Error(bad_input) for an empty id, or
  /// naming a number that cannot be parsed.
  void add(const Law& law);

  struct Match {
    std::string law;   // id
    size_t words = 0;  // number of words that the name covers
  };
  /// The longest name that starts at folded_words[offset]; nullopt if none does.
  std::optional<Match> match(const std::vector<std::string>& folded_words, size_t offset) const;
  /// The id of the law with this number, in normal form ("lei/8078/1990"). A number without a year ("lei/8078") is
  /// found only if one law of the table has it.
  std::optional<std::string> find_number(std::string_view normal) const;

  struct Entry {
    std::string id;
    std::string title;
  };
  /// The title of the law with this id; nullopt if the table lacks it.
  std::optional<std::string> title(std::string_view id) const;
  size_t num_laws() const { return laws_.size(); }

  /// The table as text, and back. parse() skips lines that it cannot read: an index with a damaged table still answers.
  std::string serialise() const;
  static LawTable parse(std::string_view text);

 private:
  struct Key {
    std::string words;  // folded words of a name, joined by spaces; or a number in normal form
    size_t law = 0;     // index in laws_
  };
  void insert(std::vector<Key>& keys, std::string words, size_t law);
  /// The first key not less than `words`; null if there is none.
  static const Key* lookup(const std::vector<Key>& keys, std::string_view words);

  std::vector<Entry> laws_;
  std::vector<Key> names_;    // sorted by words
  std::vector<Key> numbers_;  // sorted by words
};

/// The normal form of a law cited by kind and number: "Lei nº 8.078, de 11 de setembro de 1990" → "lei/8078/1990", "DL
/// 2.848/40" → "decreto-lei/2848/1940". Without a year: "lei/8078". nullopt if `text` is anything else.
std::optional<std::string> normal_law_number(std::string_view text);

/// A reference and its byte range in the text.
struct FoundProvision {
  Provision reference;
  uint32_t begin = 0;
  uint32_t end = 0;
};
/// The references in a text, in order: articles with their parts and law, and laws named without an article.
std::vector<FoundProvision> find_provisions(std::string_view text, const LawTable& laws);
/// The same for a text that is already split. words: split_words(text).
std::vector<FoundProvision> find_provisions(std::string_view text, const std::vector<Word>& words,
                                            const LawTable& laws);

}  // namespace frugal
