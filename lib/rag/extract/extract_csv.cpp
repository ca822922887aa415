// CSV (RFC 4180) with a header row: each record is a document of lines "column: value".
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "base/error.h"
#include "rag/extract/encoding.h"
#include "rag/extract/extract_formats.h"

namespace frugal {
namespace {

// A column's name stands in every record, so one of a megabyte would be as many megabytes as there are records.
constexpr size_t kMaxColumnBytes = 100;
// A record may be nothing but separators, and a field takes a few hundred bytes.
constexpr size_t kMaxColumns = 10'000;

struct Field {
  std::string text;
  SourceMap source;
};

/// Fields of one record, which may span lines inside quotes.
class CsvReader {
 public:
  CsvReader(LineReader& lines, uint64_t max_record_bytes) : lines_(lines), max_record_bytes_(max_record_bytes) {}

  /// Reads the next record; false at the end. too_long() is true if the record was skipped.
  bool next(std::vector<Field>& fields) {
    std::string line;
    if (!lines_.next(line)) return false;
    first_line_ = lines_.number();
    const uint64_t offset = lines_.offset();
    too_long_ = lines_.too_long();
    std::string record = std::move(line);
    // An odd number of quotes so far: the field, and with it the record, continues on the next line.
    bool inside_quotes = has_odd_quotes(record);
    while (inside_quotes && !too_long_ && lines_.next(line)) {
      inside_quotes ^= has_odd_quotes(line);
      too_long_ = lines_.too_long() || record.size() + line.size() > max_record_bytes_;
      lines_.memory().hold(record.size() + line.size());
      record += '\n' + line;
    }
    if (record.find('\0') != std::string::npos)
      throw Error(Code::bad_input, fmt::format("binary data (a NUL byte in line {})", first_line_));
    const DecodedText decoded = decode_text(std::move(record));
    if (!decoded.note.empty()) note_ = decoded.note;
    if (separator_ == 0) separator_ = guess_separator(decoded.text);
    fields = split(decoded.text);
    for (Field& field : fields) {
      if (decoded.source) field.source = field.source.through(*decoded.source);
      field.source = field.source.moved(offset, first_line_);
    }
    return true;
  }
  bool too_long() const { return too_long_; }
  int64_t first_line() const { return first_line_; }
  const std::string& note() const { return note_; }

 private:
  static bool has_odd_quotes(std::string_view text) { return std::count(text.begin(), text.end(), '"') % 2 != 0; }

  /// The separator: comma, semicolon or tab, the most frequent in the header.
  static char guess_separator(std::string_view header) {
    constexpr std::array<char, 3> kSeparators = {',', ';', '\t'};
    return *std::max_element(kSeparators.begin(), kSeparators.end(), [&](char a, char b) {
      return std::count(header.begin(), header.end(), a) < std::count(header.begin(), header.end(), b);
    });
  }

  static std::vector<Field> split_at(std::string_view record, char separator) {
    std::vector<Field> fields;
    int64_t line = 0;
    bool quoted = false;
    const auto open = [&](size_t at) { fields.push_back({"", SourceMap(at, line)}); };
    open(record.size() - without_mark(record).size());
    for (size_t at = fields.back().source.source_begin(); at < record.size(); ++at) {
      const char c = record[at];
      Field& field = fields.back();
      const bool is_escaped_quote = c == '"' && quoted && at + 1 < record.size() && record[at + 1] == '"';
      line += c == '\n';
      if (c == separator && !quoted) {
        if (fields.size() > kMaxColumns) break;
        open(at + 1);
      } else if (c == '"' && !is_escaped_quote) {
        quoted = !quoted;
        field.source.append(0, 1);
      } else {
        field.text += c;
        field.source.append(1, is_escaped_quote ? 2 : 1, c == '\n' ? 1 : 0);
        at += is_escaped_quote;
      }
    }
    return fields;
  }

  std::vector<Field> split(std::string_view record) const {
    if (record.ends_with('\r')) record.remove_suffix(1);
    return split_at(record, separator_);
  }

  LineReader& lines_;
  uint64_t max_record_bytes_;
  char separator_ = 0;
  bool too_long_ = false;
  int64_t first_line_ = 0;
  std::string note_;
};

struct Column {
  std::string name, key;  // the key of its field
};

std::vector<Column> columns_of(std::vector<Field> header) {
  std::vector<Column> columns;
  header.resize(std::min(header.size(), kMaxColumns));
  for (const Field& field : header) {
    const std::string name(first_bytes(trim(field.text), kMaxColumnBytes));
    columns.push_back({name, field_key(name)});
  }
  return columns;
}

/// Lines "column: value". The names of columns stand for nothing: a header is no part of a record.
Document document_of(const std::vector<Column>& columns, const std::vector<Field>& fields) {
  Document document;
  document.is_record = true;
  document.source.emplace(fields.front().source.source_begin(), fields.front().source.line());
  for (size_t i = 0; i < std::min(columns.size(), fields.size()); ++i) {
    const auto& [name, key] = columns[i];
    const std::string_view value = trim(fields[i].text);
    if (value.empty()) continue;
    if (key == "_id" || key == "id") document.external_id = value;
    if (key == "title" || key == "titulo") document.title = value;
    document.fields.add(key, value);
    const std::string label = fmt::format("{}{}: ", document.text.empty() ? "" : "\n", name);
    document.text += label;
    document.text += value;
    const auto begin = static_cast<uint64_t>(value.data() - fields[i].text.data());
    const SourceMap::Place place = fields[i].source.find(begin, begin + value.size());
    document.source->append(label.size(), 0);
    document.source->skip_to(place.begin, place.line);
    document.source->append(fields[i].source, begin, begin + value.size());
  }
  return document;
}

}  // namespace

Extracted extract_csv(LineReader& lines, const ExtractOptions& options, const DocumentSink& sink) {
  CsvReader reader(lines, options.max_record_bytes);
  SkippedRecords skipped;
  std::vector<Field> fields;
  if (!reader.next(fields)) throw Error(Code::bad_input, "no header row");
  if (fields.size() > kMaxColumns)
    skipped.add(fmt::format("more than {} columns (the rest is left out)", kMaxColumns), reader.first_line());
  const std::vector<Column> columns = columns_of(std::move(fields));
  for (int64_t number = 1; reader.next(fields); ++number) {
    const bool blank =
        std::all_of(fields.begin(), fields.end(), [](const Field& field) { return trim(field.text).empty(); });
    if (reader.too_long()) {
      skipped.add("longer than the limit", reader.first_line());
    } else if (!blank) {
      if (fields.size() > columns.size())
        skipped.add("more fields than the header names (the rest is left out)", reader.first_line());
      Document document = document_of(columns, fields);
      document.line = reader.first_line();
      if (document.external_id.empty()) document.external_id = std::to_string(number);
      if (!document.text.empty()) sink(std::move(document));
    }
  }
  return {reader.note(), skipped.text(), ""};
}

}  // namespace frugal
