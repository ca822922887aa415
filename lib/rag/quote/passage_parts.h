// What the sentences of a passage are: statements, which can be quoted as an answer, and what names or decorates an
// answer without giving it. By rules of layout and wording (passage_parts.cpp has them), for English and Portuguese; no
// model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace frugal {

/// The bytes [begin, end) of a text.
struct TextRange {
  uint32_t begin = 0;
  uint32_t end = 0;
};

enum class PartRole : uint8_t {
  statement,
  question,  // "Can I return a book?", "Q: warranty period"
  heading,
  layout,   // a row of a table, a rule, a fence of Markdown
  links,    // link text and hardly anything else
  closing,  // "Sincerely,", "Brasília, 12 de março de 1990", names below a law
  note,     // an amendment note: "(Redação dada pela Lei nº 12.010, de 2009)"
};

/// The sentences of one passage. Borrows the text.
class PassageParts {
 public:
  explicit PassageParts(std::string_view text);

  std::string_view text() const { return text_; }
  size_t count() const { return parts_.size(); }
  TextRange range(size_t part) const { return parts_[part].range; }
  PartRole role(size_t part) const { return parts_[part].role; }
  /// The text of a part, without the typographic spaces by which some editions indent it.
  std::string_view words(size_t part) const;
  /// The part that holds a byte, or the last one before it. There is at least one.
  size_t at(uint32_t byte) const;

  bool is_item(size_t part) const { return parts_[part].mark != 0; }
  /// True if `inner` and `outer` are items, and `inner` is of a list within one that `outer` belongs to.
  bool is_deeper(size_t inner, size_t outer) const;
  /// True if the part ends with a colon, amendment notes aside: what follows belongs to it.
  bool introduces(size_t part) const;

  /// The first statement that follows a question or a heading; nullopt: the passage does not have it.
  std::optional<size_t> answer_to(size_t part) const;
  /// The question that a statement answers as the first one after it; nullopt: none.
  std::optional<size_t> question_of(size_t statement) const;
  /// One past the last part of the block that a statement begins: where the next question or heading stands.
  size_t block_end(size_t statement) const;
  /// Where a part says something: behind "A: " or "Resposta: ".
  uint32_t begin_of_words(size_t part) const;

 private:
  struct Part {
    TextRange range;
    PartRole role = PartRole::statement;
    char mark = 0;        // of an item of a list: '-' for bullets, else '1', 'I' or 'a'; 0: no item
    uint32_t indent = 0;  // bytes between the line's start and the item
  };
  bool is_title(size_t part) const;
  void find_layout_roles();
  void find_links();
  void find_closings();

  std::string_view text_;
  std::vector<Part> parts_;
};

/// True if a text ends with a colon, amendment notes behind it aside.
bool ends_with_colon(std::string_view text);

}  // namespace frugal
