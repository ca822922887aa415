// The structure of a legal text: where its articles, paragraphs, items (incisos) and letters (alíneas) begin.
// References to other provisions are not structure: "no § 2º do art. 5º" gives no mark. find_provisions() reads those.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rag/law/provision.h"

namespace frugal {

/// A label that opens a provision: "Art. 121-A.", "§ 2º", "Parágrafo único.", "IV –", "b)".
struct LegalMark {
  enum class Level : uint8_t { article, paragraph, item, letter };
  Level level = Level::article;
  std::string value;   // "121-A", "2", "unico", "4", "b", as in Provision
  uint32_t begin = 0;  // offset of the label itself, after bullets and emphasis
  uint32_t line = 0;   // offset of its line if only bullets and emphasis precede the label there; else `begin`
};

/// The marks of a text, in order. Items and letters are marks only inside an article. Linear time.
std::vector<LegalMark> find_legal_marks(std::string_view text);

/// The current position in a law, updated by entering marks in order.
class LegalPosition {
 public:
  void enter(const LegalMark& mark);
  /// The provision at the position, with an empty law; nullopt before the first article.
  std::optional<Provision> provision() const;

 private:
  Provision at_;
};

/// Parses the number of a provision at `offset` and moves `offset` past it: "1.015" → "1015", "5º" → "5", "121-A" →
/// "121-A". nullopt, and `offset` stays, if there is none.
std::optional<std::string> read_provision_number(std::string_view text, size_t& offset);
/// The value of a canonical Roman numeral in capitals; nullopt for any other text.
std::optional<int> roman_value(std::string_view numeral);

/// True if the line is the heading of a division of a law: "TÍTULO II", "Capítulo I – Dos Princípios", "Seção III",
/// "Chapter 2".
bool is_division_heading(std::string_view line);

}  // namespace frugal
