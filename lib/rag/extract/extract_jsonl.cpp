// JSON lines: one object per line, {_id, title, text} as in BEIR's corpora; a few synonyms of these keys are accepted.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <optional>
#include <set>
#include <utility>

#include "base/ascii.h"
#include "base/error.h"
#include "base/one_of.h"
#include "rag/extract/encoding.h"
#include "rag/extract/extract_formats.h"

namespace frugal {
namespace {

constexpr std::string_view kIdKeys[] = {"_id", "id", "doc_id"};
constexpr std::string_view kTitleKeys[] = {"title", "titulo"};
constexpr std::string_view kTextKeys[] = {"text", "contents", "content", "body", "texto"};
constexpr size_t kMaxNamedKeys = 8;
constexpr size_t kMaxKeyBytes = 100;  // of a key that is named

/// A string unchanged, a number as written; nullopt for any other type.
std::optional<std::string> scalar_text(const simdjson::dom::element& value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  if (value.is_int64() || value.is_uint64() || value.is_double()) return simdjson::minify(value);
  return std::nullopt;
}

/// Adds the scalars of a member, and those inside it under nested keys.
void add_fields(DocumentFields& fields, const std::string& key, const simdjson::dom::element& value, int depth) {
  if (fields.full() || key.size() > DocumentFields::kMaxKeyBytes) return;
  if (const std::optional<std::string> text = scalar_text(value)) return fields.add(key, *text);
  if (bool flag = false; value.get(flag) == simdjson::SUCCESS) return fields.add(key, flag ? "true" : "false");
  if (depth == DocumentFields::kMaxDepth) return;
  if (simdjson::dom::array array; value.get(array) == simdjson::SUCCESS)
    for (const simdjson::dom::element each : array) {
      if (fields.full()) return;
      add_fields(fields, key, each, depth + 1);
    }
  if (simdjson::dom::object object; value.get(object) == simdjson::SUCCESS)
    for (const auto& [name, each] : object) {
      if (fields.full()) return;
      add_fields(fields, key + "." + field_key(name), each, depth + 1);
    }
}

/// Reads an object that is known to be well-formed: where its values are.
class JsonPlaces {
 public:
  explicit JsonPlaces(std::string_view json) : json_(json) {}

  /// The bytes of the value of member `index`, from 0, quotes included.
  std::pair<size_t, size_t> value(size_t index) {
    at_ = json_.find('{') + 1;
    for (;; ++index_) {
      skip_value();  // the key
      skip_blanks();
      ++at_;  // ':'
      skip_blanks();
      const size_t begin = at_;
      skip_value();
      if (index_ == index || at_ >= json_.size()) return {begin, at_};
      skip_blanks();
      ++at_;  // ','
    }
  }

 private:
  void skip_blanks() {
    while (at_ < json_.size() && std::string_view(" \t\r\n").find(json_[at_]) != std::string_view::npos) ++at_;
  }
  void skip_string() {
    for (++at_; at_ < json_.size() && json_[at_] != '"'; ++at_) at_ += json_[at_] == '\\';
    ++at_;
  }
  void skip_value() {
    skip_blanks();
    for (int64_t depth = 0; at_ < json_.size();) {
      const char c = json_[at_];
      if (c == '"') {
        skip_string();
        if (depth == 0) return;
        continue;
      }
      if (depth == 0 && (c == ',' || c == '}' || c == ']')) return;
      depth += c == '{' || c == '[';
      depth -= c == '}' || c == ']';
      ++at_;
      if (depth == 0 && (c == '}' || c == ']')) return;
    }
  }

  std::string_view json_;
  size_t at_ = 0;
  size_t index_ = 0;
};

/// Of a string between quotes: an escape is a unit.
void append_string(SourceMap& map, std::string_view json) {
  for (size_t at = 0; at < json.size();) {
    const size_t escape = std::min(json.find('\\', at), json.size());
    map.append(escape - at, escape - at);
    if (escape + 1 >= json.size()) return;
    size_t text_bytes = 1, source_bytes = 2;
    if (json[escape + 1] == 'u') {
      const auto code = std::strtoul(std::string(json.substr(escape + 2, 4)).c_str(), nullptr, 16);
      const bool is_pair = code >= 0xD800 && code < 0xDC00;
      text_bytes = is_pair ? 4 : code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
      source_bytes = is_pair ? 12 : 6;
    }
    map.append(text_bytes, source_bytes);
    at = escape + source_bytes;
  }
}

/// Of the member `index` of `json`, whose value is read as `text`.
SourceMap source_of_value(std::string_view json, size_t index, std::string_view text) {
  const auto [begin, end] = JsonPlaces(json).value(index);
  const bool is_string = begin < json.size() && json[begin] == '"' && end - begin >= 2;
  SourceMap map(begin + is_string, 0);
  if (is_string) append_string(map, json.substr(begin + 1, end - begin - 2));
  if (map.text_bytes() == text.size()) return map;
  SourceMap whole(begin, 0);  // a number that is written otherwise than it reads
  whole.append(text.size(), end - begin);
  return whole;
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
    const std::string_view json = without_mark(decoded.text);
    const simdjson::padded_string padded(json);
    if (padded.size() != json.size()) throw std::bad_alloc();
    const simdjson::error_code status = parser_.parse(padded).get(object);
    if (status == simdjson::MEMALLOC) throw std::bad_alloc();  // the record is not to blame
    if (status != simdjson::SUCCESS) return skipped_.add("not a JSON object", lines_.number());
    std::optional<Document> document = read_record(object, json);
    if (!document) return skipped_.add("no text (key \"text\")", lines_.number());
    document->source = document->source->moved(decoded.text.size() - json.size(), 0);
    if (decoded.source) document->source = document->source->through(*decoded.source);
    document->source = document->source->moved(lines_.offset(), lines_.number());
    ++documents_;
    sink_(std::move(*document));
  }

  /// Its `source` maps to the line. Nothing if there is no text.
  std::optional<Document> read_record(const simdjson::dom::object& object, std::string_view json) {
    Document document;
    document.is_record = true;
    document.line = lines_.number();
    size_t index = 0, text_index = 0, title_index = 0;
    for (const auto& [key, value] : object) {
      std::string* field = is_one_of(key, kIdKeys)      ? &document.external_id
                           : is_one_of(key, kTitleKeys) ? &document.title
                           : is_one_of(key, kTextKeys)  ? &document.text
                                                        : nullptr;
      const std::optional<std::string> text = field ? scalar_text(value) : std::nullopt;
      if (field != &document.text && !document.fields.full()) add_fields(document.fields, field_key(key), value, 1);
      if (text && field->empty()) {
        *field = *text;
        if (field == &document.text) text_index = index;
        if (field == &document.title) title_index = index;
      } else if (ignored_keys_.size() < kMaxNamedKeys) {
        ignored_keys_.insert(std::string(first_bytes(key, kMaxKeyBytes)));
      }
      ++index;
    }
    if (is_blank(document.text)) {
      std::swap(document.text, document.title);
      std::swap(text_index, title_index);
    }
    if (is_blank(document.text)) return std::nullopt;
    document.source = source_of_value(json, text_index, document.text);
    if (document.external_id.empty()) document.external_id = std::to_string(lines_.number());
    return document;
  }

  static bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

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
