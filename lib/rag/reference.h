// Legal references: "art. 121-A, § 2º, inciso IV, alínea b, do CP". Names and numbers are exact: Art. 72 is never Art. 75.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace frugal {

/// Every part in normal form; an empty part was not named.
struct Reference {
  std::string law;        // canonical id of the alias table ("br/codigo-penal"), or "lei/8078/1990" where the table has none
  std::string article;    // "121-A", "5" (no ordinal mark, no thousands separator)
  std::string paragraph;  // "2", "unico"
  std::string item;       // inciso, in arabic digits with suffix: "4", "4-A"
  std::string letter;     // alínea: "b"
  bool operator==(const Reference&) const = default;
  auto operator<=>(const Reference&) const = default;
};
std::string to_string(const Reference& reference);

/// Laws by their names, abbreviations and numbers, from configs/references/*.yaml and the user's own files.
class LawTable {
 public:
  struct Law {
    std::string id;
    std::string title;
    std::vector<std::string> names;    // any spelling; matched folded, whole words
    std::vector<std::string> numbers;  // "Lei 8.078/1990"
  };
  void add(Law law);
  /// Longest name or number that starts at `offset` of the folded words of a text; see references.cpp for the matching rule.
  struct Match {
    std::string law;
    size_t words = 0;
  };
  std::optional<Match> match(const std::vector<std::string>& folded_words, size_t offset) const;
  const Law* find(std::string_view id) const;
  size_t laws() const;

 private:
  std::vector<Law> laws_;
  std::map<std::vector<std::string>, size_t> by_words_;  // folded words of a name → index in laws_
};

/// A reference where it stands in a text.
struct FoundReference {
  Reference reference;
  uint32_t begin = 0;
  uint32_t end = 0;
};
/// Every reference that a text makes, in order: articles with their parts and the law they name; a law named alone too.
std::vector<FoundReference> find_references(std::string_view text, const LawTable& laws);

}  // namespace frugal
