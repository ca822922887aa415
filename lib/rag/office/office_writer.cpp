#include "rag/office/office_writer.h"

#include <fmt/format.h>

#include "base/ascii.h"
#include "base/error.h"
#include "base/units.h"

namespace frugal {

void check_text_bytes(uint64_t bytes, uint64_t limit) {
  if (bytes > limit)
    throw Error(Code::bad_input, fmt::format("its text is larger than {}: split the file", format_bytes(limit)));
}

void OfficeWriter::add(std::string_view before, std::string_view text) {
  check_text_bytes(text_.size() + pending_.size() + before.size() + text.size(), max_text_bytes_);
  if (!text_.empty()) text_ += before;
  text_ += pending_;
  pending_.clear();
  text_ += text;
}

void OfficeWriter::paragraph(std::string_view text) {
  text = trim(text);
  if (!text.empty()) add("\n\n", text);
  in_lines_ = false;
}

void OfficeWriter::heading(int64_t level, std::string_view text) {
  if (level < 1 || level > 6) return paragraph(text);
  const std::string one_line = collapse_spaces(text);
  if (!one_line.empty()) add("\n\n", std::string(static_cast<size_t>(level), '#') + " " + one_line);
  in_lines_ = false;
}

void OfficeWriter::line(std::string_view text) {
  if (trim(text).empty()) return;
  add(in_lines_ ? "\n" : "\n\n", text);
  in_lines_ = true;
}

void OfficeWriter::block(std::string_view text) {
  const size_t begin = text.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return;
  text = text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
  if (!text.empty()) add("\n\n", text);
  in_lines_ = false;
}

void OfficeWriter::page() {
  if (pages_++ > 0) pending_ += '\f';
  in_lines_ = false;
}

}  // namespace frugal
