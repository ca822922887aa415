// JSON lines: one object per line, {_id, title, text} as in BEIR's corpora; a few synonyms of these keys are accepted.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "rag/extract/encoding.h"
#include "rag/extract/extract_formats.h"

namespace frugal {
namespace {

constexpr std::string_view kIdKeys[] = {"_id", "id", "doc_id"};
constexpr std::string_view kTitleKeys[] = {"title", "titulo"};
constexpr std::string_view kTextKeys[] = {"text", "contents", "content", "body", "texto"};
constexpr size_t kMaxNamedKeys = 8;

template <typename Keys>
bool is_one_of(std::string_view key, const Keys& keys) {
  return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
}

/// A string unchanged, a number as written; nullopt for any other type.
std::optional<std::string> scalar_text(const simdjson::dom::element& value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  if (value.is_int64() || value.is_uint64() || value.is_double()) return simdjson::minify(value);
  return std::nullopt;
}

class JsonlReader {
 public:
  JsonlReader(LineReader& lines, const DocumentSink& sink) : lines_(lines), sink_(sink) {}

  Extracted read() {
    std::string line;
    while (lines_.next(line)) {
      if (lines_.too_long())
        skipped_.add("longer than the limit", lines_.number());
      else if (line.find_first_not_of(" \t\r\xEF\xBB\xBF") != std::string::npos)
        read_line(std::move(line));
    }
    if (documents_ == 0 && !skipped_.text().empty())
      throw Error(Code::bad_input, "no usable record: " + skipped_.text());
    Extracted extracted;
    extracted.note = note_;
    if (!ignored_keys_.empty())
      extracted.note += fmt::format("{}keys ignored: {}", note_.empty() ? "" : "; ", fmt::join(ignored_keys_, ", "));
    extracted.skipped_records = skipped_.text();
    return extracted;
  }

 private:
  void read_line(std::string line) {
    if (line.find('\0') != std::string::npos)
      throw Error(Code::bad_input, fmt::format("binary data (a NUL byte in line {})", lines_.number()));
    DecodedText decoded = decode_text(std::move(line));
    if (!decoded.note.empty()) note_ = decoded.note;
    simdjson::dom::object object;
    const simdjson::padded_string padded(without_mark(decoded.text));
    if (parser_.parse(padded).get(object) != simdjson::SUCCESS)
      return skipped_.add("not a JSON object", lines_.number());
    read_record(object);
  }

  void read_record(const simdjson::dom::object& object) {
    Document document;
    document.is_record = true;
    document.line = lines_.number();
    for (const auto& [key, value] : object) {
      std::string* field = is_one_of(key, kIdKeys)      ? &document.external_id
                           : is_one_of(key, kTitleKeys) ? &document.title
                           : is_one_of(key, kTextKeys)  ? &document.text
                                                        : nullptr;
      const std::optional<std::string> text = field ? scalar_text(value) : std::nullopt;
      if (text && field->empty())
        *field = *text;
      else if (ignored_keys_.size() < kMaxNamedKeys)
        ignored_keys_.insert(std::string(key));
    }
    if (document.text.find_first_not_of(" \t\r\n") == std::string::npos) std::swap(document.text, document.title);
    if (document.text.find_first_not_of(" \t\r\n") == std::string::npos)
      return skipped_.add("no text (key \"text\")", lines_.number());
    if (document.external_id.empty()) document.external_id = std::to_string(lines_.number());
    ++documents_;
    sink_(std::move(document));
  }

  LineReader& lines_;
  const DocumentSink& sink_;
  simdjson::dom::parser parser_;
  std::set<std::string> ignored_keys_;
  std::string note_;
  SkippedRecords skipped_;
  int64_t documents_ = 0;
};

}  // namespace

Extracted extract_jsonl(LineReader& lines, const DocumentSink& sink) {
  return JsonlReader(lines, sink).read();
}

}  // namespace frugal
