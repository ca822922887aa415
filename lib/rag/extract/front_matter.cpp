// A reader of the part of YAML that front matter is written in. Not a YAML library: anchors, tags, documents and flow
// mappings are skipped, so that no text can make it build more than it has bytes.
#include <algorithm>

#include "base/ascii.h"
#include "rag/extract/document_fields.h"
#include "rag/extract/encoding.h"

namespace frugal {
namespace {

constexpr size_t kMaxFrontMatterBytes = 64 << 10;

/// Takes the next line off the front of `text`, without its end.
std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  return line;
}

/// The index of the quote that closes the one at the front of `text`, npos if there is none.
size_t closing_quote(std::string_view text) {
  const char quote = text.front();
  for (size_t i = 1; i < text.size(); ++i) {
    const bool escapes = quote == '"' && text[i] == '\\';
    const bool is_doubled = quote == '\'' && text[i] == quote && i + 1 < text.size() && text[i + 1] == quote;
    if (escapes || is_doubled)
      ++i;
    else if (text[i] == quote)
      return i;
  }
  return text.npos;
}

bool is_quoted(std::string_view text) {
  return text.starts_with('"') || text.starts_with('\'');
}

/// A scalar without its quotes or its comment.
std::string scalar_of(std::string_view text) {
  text = trim(text);
  if (!is_quoted(text)) {
    text = trim(text.substr(0, text.find(" #")));
    return text == "~" || text == "null" ? std::string() : std::string(text);
  }
  const char quote = text.front();
  const size_t end = closing_quote(text);
  if (end == text.npos) return std::string(text);
  std::string value;
  for (size_t i = 1; i < end; ++i) {
    const bool is_escape = quote == '"' ? text[i] == '\\' : text[i] == '\'';
    if (is_escape && i + 1 < end) ++i;
    value += text[i];
  }
  return value;
}

/// The place behind the key at the front of `line`, at its ':'; npos if the line has none.
size_t key_end(std::string_view line) {
  size_t from = 0;
  if (is_quoted(line)) {
    from = closing_quote(line);
    if (from == line.npos) return line.npos;
  }
  for (size_t at = line.find(':', from); at != line.npos; at = line.find(':', at + 1))
    if (at + 1 == line.size() || line[at + 1] == ' ' || line[at + 1] == '\t') return at;
  return line.npos;
}

class FrontMatter {
 public:
  void read(std::string_view line) {
    const size_t indent = std::min(line.find_first_not_of(' '), line.size());
    line.remove_prefix(indent);
    if (line.empty() || line.front() == '#' || line.front() == '\t') return;
    if (in_block_ && indent > block_indent_) return;
    in_block_ = false;
    if (line == "-" || line.starts_with("- ")) return read_item(indent, trim(line.substr(1)));
    read_pair(indent, line);
  }
  DocumentFields take() { return std::move(fields_); }

 private:
  struct Parent {
    size_t indent;
    std::string key;
  };

  /// An item of the list below the innermost key that stands as far left, or further.
  void read_item(size_t indent, std::string_view item) {
    while (!parents_.empty() && parents_.back().indent > indent) parents_.pop_back();
    if (parents_.empty()) return;
    if (!is_quoted(item) && key_end(item) != item.npos) return read_value(indent + 1, item, parents_.back().key);
    fields_.add(parents_.back().key, scalar_of(item));
  }

  void read_pair(size_t indent, std::string_view line) {
    while (!parents_.empty() && parents_.back().indent >= indent) parents_.pop_back();
    read_value(indent, line, parents_.empty() ? std::string() : parents_.back().key);
  }

  /// "key: value" below the key `above`.
  void read_value(size_t indent, std::string_view line, const std::string& above) {
    const size_t end = key_end(line);
    if (end == line.npos) return;
    const std::string own = field_key(scalar_of(line.substr(0, end)));
    const std::string key = above.empty() ? own : above + "." + own;
    const std::string_view value = trim(line.substr(end + 1));
    if (value.empty() || value.front() == '#') {
      if (parents_.size() < DocumentFields::kMaxDepth && key.size() <= DocumentFields::kMaxKeyBytes)
        parents_.push_back({indent, key});
    } else if (value.front() == '|' || value.front() == '>') {
      in_block_ = true;
      block_indent_ = indent;
    } else if (value.front() == '[') {
      read_list(key, value.substr(1));
    } else if (value.front() != '{') {
      fields_.add(key, scalar_of(value));
    }
  }

  /// "a, b]" on one line.
  void read_list(const std::string& key, std::string_view list) {
    while (!(list = trim(list)).empty() && list.front() != ']' && !fields_.full()) {
      const size_t quoted = is_quoted(list) ? closing_quote(list) : 0;
      const size_t end = std::min(list.find_first_of(",]", quoted == list.npos ? 0 : quoted), list.size());
      fields_.add(key, scalar_of(list.substr(0, end)));
      list.remove_prefix(std::min(end + (end < list.size() && list[end] == ','), list.size()));
    }
  }

  DocumentFields fields_;
  std::vector<Parent> parents_;
  bool in_block_ = false;
  size_t block_indent_ = 0;
};

}  // namespace

DocumentFields front_matter_of(std::string_view text) {
  text = without_mark(text).substr(0, kMaxFrontMatterBytes);
  if (take_line(text) != "---") return {};
  FrontMatter matter;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line == "---" || line == "...") return matter.take();
    matter.read(line);
  }
  return {};
}

}  // namespace frugal
