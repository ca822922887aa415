// Legal references: "art. 121-A, § 2º, inciso IV, alínea b, do CP". Names and numbers are exact: Art. 72 is never
// Art. 75.
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

/// Every part in normal form; an empty part was not named.
struct Provision {
  std::string law;  // canonical id of the alias table ("br/codigo-penal"), or "lei/8078/1990" where the table has none
  std::string article;    // "121-A", "5" (no ordinal mark, no thousands separator)
  std::string paragraph;  // "2", "unico"
  std::string item;       // inciso, in arabic digits with suffix: "4", "4-A"
  std::string letter;     // alínea: "b"
  bool operator==(const Provision&) const = default;
  auto operator<=>(const Provision&) const = default;
};
std::string to_string(const Provision& reference);

/// Laws by their names, abbreviations and numbers, from configs/references/*.yaml and the user's own files.
/// Names are compared folded and without articles and prepositions: "Código Defesa Consumidor" is "Código de Defesa do
/// Consumidor". Kept as sorted lines of text, so that an index can store it and a question can use it without building
/// anything.
class LawTable {
 public:
  struct Law {
    std::string id;
    std::string title;
    std::vector<std::string> names;    // any spelling; matched folded, whole words
    std::vector<std::string> numbers;  // "Lei 8.078/1990"
  };
  /// Adds a law; a later law takes over names and numbers that an earlier one has. Throws Error(bad_input) naming a
  /// number that cannot be read, or an empty id.
  void add(const Law& law);

  /// Longest name that starts at `offset` of the folded words of a text; `words` counts those it covers.
  struct Match {
    std::string law;
    size_t words = 0;
  };
  std::optional<Match> match(const std::vector<std::string>& folded_words, size_t offset) const;
  /// Law of a number in normal form ("lei/8078/1990"); "lei/8078" if only one law of the table has that number.
  std::optional<std::string> find_number(std::string_view normal) const;

  struct Entry {
    std::string id;
    std::string title;
  };
  /// Title of the law with that id, if the table has it.
  std::optional<std::string> title(std::string_view id) const;
  size_t num_laws() const { return laws_.size(); }

  /// The table as text, and back. Lines that cannot be read are left out: an index with a damaged table still answers.
  std::string serialise() const;
  static LawTable parse(std::string_view text);

 private:
  struct Key {
    std::string words;  // folded words of a name with a space between, or a number in normal form
    size_t law = 0;
  };
  void insert(std::vector<Key>& keys, std::string words, size_t law);
  static const Key* lookup(const std::vector<Key>& keys, std::string_view words);

  std::vector<Entry> laws_;
  std::vector<Key> names_;    // sorted by words
  std::vector<Key> numbers_;  // sorted by words
};

/// Normal form of a law cited by kind and number: "Lei nº 8.078, de 11 de setembro de 1990" → "lei/8078/1990",
/// "DL 2.848/40" → "decreto-lei/2848/1940". Without a year: "lei/8078".
std::optional<std::string> normal_law_number(std::string_view text);

/// A reference where it stands in a text.
struct FoundProvision {
  Provision reference;
  uint32_t begin = 0;
  uint32_t end = 0;
};
/// Every reference that a text makes, in order: articles with their parts and the law they name; a law named alone too.
std::vector<FoundProvision> find_provisions(std::string_view text, const LawTable& laws);
/// The same where the words of the text are known. words: split_words(text).
std::vector<FoundProvision> find_provisions(std::string_view text, const std::vector<Word>& words,
                                            const LawTable& laws);

}  // namespace frugal
