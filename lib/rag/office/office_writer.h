// Collects the text of an office file: paragraphs between blank lines, headings with '#', rows of tables as lines,
// pages after form feeds. Bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace frugal {

class OfficeWriter {
 public:
  explicit OfficeWriter(uint64_t max_text_bytes) : max_text_bytes_(max_text_bytes) {}

  /// Blank text is nothing. Throws Error(bad_input) beyond the limit, as the others do.
  void paragraph(std::string_view text);
  /// level: from 1; more than 6 is a paragraph.
  void heading(int64_t level, std::string_view text);
  /// A line below the line before; the first one begins a paragraph.
  void line(std::string_view text);
  /// What comes next is another paragraph.
  void end_lines() { in_lines_ = false; }
  /// Text as it is, between blank lines.
  void block(std::string_view text);
  /// Begins a page, which is the next number: also if the page before was empty.
  void page();

  std::string title;
  bool has_pages() const { return pages_ > 0; }
  std::string& text() { return text_; }

 private:
  void add(std::string_view before, std::string_view text);

  uint64_t max_text_bytes_;
  std::string text_;
  int64_t pages_ = 0;
  bool in_lines_ = false;
  std::string pending_;  // form feeds before the next text
};

/// The error of a text that is longer than the limit.
void check_text_bytes(uint64_t bytes, uint64_t limit);

}  // namespace frugal
