#include "rag/extract/document_fields.h"

#include "base/ascii.h"
#include "rag/extract/extract.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

void append_counted(std::string& bytes, std::string_view text) {
  bytes += static_cast<char>(text.size() & 0xFF);
  bytes += static_cast<char>(text.size() >> 8);
  bytes += text;
}

/// Takes a counted text off the front of `bytes`; false if they end before.
bool take_counted(std::string_view& bytes, std::string_view& text) {
  if (bytes.size() < 2) return false;
  const size_t length = static_cast<unsigned char>(bytes[0]) + (size_t(static_cast<unsigned char>(bytes[1])) << 8);
  if (bytes.size() - 2 < length) return false;
  text = bytes.substr(2, length);
  bytes.remove_prefix(2 + length);
  return true;
}

}  // namespace

void DocumentFields::add(std::string_view folded_key, std::string_view value) {
  value = trim(value);
  if (full() || folded_key.empty() || value.empty()) return;
  if (folded_key.size() > kMaxKeyBytes || value.size() > kMaxValueBytes) return;
  fields_.push_back({std::string(folded_key), std::string(value)});
}

std::string DocumentFields::serialise() const {
  std::string bytes;
  for (const DocumentField& field : fields_) {
    append_counted(bytes, field.key);
    append_counted(bytes, field.value);
  }
  return bytes;
}

DocumentFields DocumentFields::parse(std::string_view bytes) {
  DocumentFields fields;
  std::string_view key, value;
  while (take_counted(bytes, key) && take_counted(bytes, value)) fields.add(key, value);
  return fields;
}

std::string field_key(std::string_view written) {
  return collapse_spaces(fold(first_bytes(written, 2 * DocumentFields::kMaxKeyBytes)));
}

bool has_fields(FileKind kind) {
  return kind == FileKind::markdown || kind == FileKind::csv || kind == FileKind::jsonl;
}

}  // namespace frugal
