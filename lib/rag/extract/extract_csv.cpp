// CSV (RFC 4180) with a header row: each record is a document of lines "column: value".
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/error.h"
#include "rag/extract/encoding.h"
#include "rag/extract/extract_formats.h"
#include "rag/text/words.h"

namespace frugal {
namespace {

/// Fields of one record, which may span lines inside quotes.
class CsvReader {
 public:
  CsvReader(LineReader& lines, uint64_t max_record_bytes) : lines_(lines), max_record_bytes_(max_record_bytes) {}

  /// Reads the next record; false at the end. too_long() is true if the record was skipped.
  bool next(std::vector<std::string>& fields) {
    std::string line;
    if (!lines_.next(line)) return false;
    first_line_ = lines_.number();
    too_long_ = lines_.too_long();
    std::string record = std::move(line);
    // An odd number of quotes so far: the field, and with it the record, continues on the next line.
    bool inside_quotes = has_odd_quotes(record);
    while (inside_quotes && !too_long_ && lines_.next(line)) {
      inside_quotes ^= has_odd_quotes(line);
      too_long_ = lines_.too_long() || record.size() + line.size() > max_record_bytes_;
      record += '\n' + line;
    }
    if (record.find('\0') != std::string::npos)
      throw Error(Code::bad_input, fmt::format("binary data (a NUL byte in line {})", first_line_));
    DecodedText decoded = decode_text(std::move(record));
    if (!decoded.note.empty()) note_ = decoded.note;
    if (separator_ == 0) separator_ = guess_separator(decoded.text);
    fields = split(without_mark(decoded.text));
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

  std::vector<std::string> split(std::string_view record) const {
    if (record.ends_with('\r')) record.remove_suffix(1);
    std::vector<std::string> fields(1);
    bool quoted = false;
    for (size_t at = 0; at < record.size(); ++at) {
      const char c = record[at];
      if (c == '"' && quoted && at + 1 < record.size() && record[at + 1] == '"')
        fields.back() += record[++at];
      else if (c == '"')
        quoted = !quoted;
      else if (c == separator_ && !quoted)
        fields.emplace_back();
      else
        fields.back() += c;
    }
    return fields;
  }

  LineReader& lines_;
  uint64_t max_record_bytes_;
  char separator_ = 0;
  bool too_long_ = false;
  int64_t first_line_ = 0;
  std::string note_;
};

Document document_of(const std::vector<std::string>& columns, const std::vector<std::string>& fields) {
  Document document;
  document.is_record = true;
  for (size_t i = 0; i < std::min(columns.size(), fields.size()); ++i) {
    const std::string_view value = trim(fields[i]);
    const std::string column = fold(columns[i]);
    if (value.empty()) continue;
    if (column == "_id" || column == "id") document.external_id = value;
    if (column == "title" || column == "titulo") document.title = value;
    document.text += fmt::format("{}{}: {}", document.text.empty() ? "" : "\n", columns[i], value);
  }
  return document;
}

}  // namespace

Extracted extract_csv(LineReader& lines, const ExtractOptions& options, const DocumentSink& sink) {
  CsvReader reader(lines, options.max_record_bytes);
  SkippedRecords skipped;
  std::vector<std::string> columns, fields;
  if (!reader.next(columns) || columns.empty()) throw Error(Code::bad_input, "no header row");
  for (std::string& column : columns) column = std::string(trim(column));
  for (int64_t number = 1; reader.next(fields); ++number) {
    const bool blank =
        std::all_of(fields.begin(), fields.end(), [](const std::string& field) { return trim(field).empty(); });
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
