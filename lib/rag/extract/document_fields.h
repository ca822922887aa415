// The fields of a document beside its text, which filters compare: front matter of Markdown, columns of csv, members of
// jsonl. What a hostile document can make of them is bounded; what exceeds a bound is left out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace frugal {

enum class FileKind;

struct DocumentField {
  std::string key;  // folded, with single spaces; of a nested value "author.name"
  std::string value;
};

class DocumentFields {
 public:
  static constexpr size_t kMaxFields = 64;
  static constexpr size_t kMaxKeyBytes = 100;
  static constexpr size_t kMaxValueBytes = 256;  // a longer one is a text
  static constexpr int kMaxDepth = 4;            // of nested keys

  /// Adds a value, trimmed, unless a bound is exceeded or it is blank. A key may have several values.
  void add(std::string_view folded_key, std::string_view value);
  bool full() const { return fields_.size() >= kMaxFields; }
  bool empty() const { return fields_.empty(); }
  const std::vector<DocumentField>& all() const { return fields_; }

  std::string serialise() const;
  /// Reads what serialise() wrote; of damaged bytes, the beginning that can be read.
  static DocumentFields parse(std::string_view bytes);

 private:
  std::vector<DocumentField> fields_;
};

/// The key as fields have it.
std::string field_key(std::string_view written);

/// True for the kinds of file whose documents may have fields.
bool has_fields(FileKind kind);

/// The front matter of a Markdown text: the lines between "---" in its first line and the next "---" or "...". Reads
/// keys with scalars, lists and nested keys of YAML; anything else there is skipped. None if it is longer than 64 KiB.
DocumentFields front_matter_of(std::string_view text);

}  // namespace frugal
