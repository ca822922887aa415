// The structure of a legal text: where its articles, paragraphs, incisos and alíneas begin.
// Only what a text *is* made of, not what it mentions: "no § 2º do art. 5º" marks nothing (that is find_provisions).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rag/law/provision.h"

namespace frugal {

/// "Art. 121-A.", "§ 2º", "Parágrafo único.", "IV –", "b)" where it opens a provision.
struct LegalMark {
  enum class Level : uint8_t { article, paragraph, item, letter };
  Level level = Level::article;
  std::string value;   // "121-A", "2", "unico", "4", "b", as in Provision
  uint32_t begin = 0;  // of the mark, without list bullets and emphasis around it
  uint32_t line = 0;   // begin of its line, if nothing but bullets and emphasis stands before it; else = begin
};

/// Marks in order. Items and letters count only inside an article. Linear in the text.
std::vector<LegalMark> find_legal_marks(std::string_view text);

/// Where in a law a text stands: fed with marks in order.
class LegalPosition {
 public:
  void enter(const LegalMark& mark);
  /// Provision of the position, without a law; nothing outside an article.
  std::optional<Provision> provision() const;

 private:
  Provision at_;
};

/// "1.015" → "1015", "5º" → "5", "121-A" → "121-A" at `offset`, which moves behind it.
std::optional<std::string> read_provision_number(std::string_view text, size_t& offset);
/// Value of a canonical Roman numeral, upper case.
std::optional<int> roman_value(std::string_view numeral);

/// True for the line of a part of a law: "TÍTULO II", "Capítulo I – Dos Princípios", "Seção III", "Chapter 2".
bool is_division_heading(std::string_view line);

}  // namespace frugal
