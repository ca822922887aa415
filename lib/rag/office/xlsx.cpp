// XLSX to text: a sheet is a heading and its rows, a row is a line with tabs between its cells. Dates, times and
// percentages are written as such; other formats of numbers are not applied. A formula is its last value.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "rag/office/office.h"
#include "rag/office/office_writer.h"
#include "rag/office/relations.h"
#include "rag/office/xml.h"
#include "rag/office/zip_file.h"

namespace frugal {
namespace {

enum class NumberFormat { plain, percent, date, time, date_time };

/// The letters of a format without what is quoted in it: "yyyy-mm-dd" is a date, "0.00%" a percentage.
NumberFormat format_of(std::string_view code) {
  bool in_quotes = false, in_brackets = false, date = false, time = false, percent = false;
  for (size_t i = 0; i < code.size() && code[i] != ';'; ++i) {
    const char c = ascii_lower(code[i]);
    if (c == '\\' || c == '_' || c == '*') {
      ++i;
      continue;
    }
    if (c == '"') in_quotes = !in_quotes;
    if (c == '[') in_brackets = true;
    if (c == ']') in_brackets = false;
    if (in_quotes || in_brackets) continue;
    date |= c == 'y' || c == 'd';
    time |= c == 'h' || c == 's';
    percent |= c == '%';
  }
  if (percent) return NumberFormat::percent;
  if (date && time) return NumberFormat::date_time;
  return date ? NumberFormat::date : time ? NumberFormat::time : NumberFormat::plain;
}

NumberFormat built_in_format(int64_t id) {
  if (id == 9 || id == 10) return NumberFormat::percent;
  if ((id >= 14 && id <= 17) || (id >= 27 && id <= 36) || (id >= 50 && id <= 58)) return NumberFormat::date;
  if ((id >= 18 && id <= 21) || (id >= 45 && id <= 47)) return NumberFormat::time;
  return id == 22 ? NumberFormat::date_time : NumberFormat::plain;
}

int64_t number_of(std::string_view digits) {
  return is_digits(digits) && digits.size() < 10 ? std::stoll(std::string(digits)) : -1;
}

/// Year, month and day of a count of days since 1970 (Hinnant, "chrono-compatible low-level date algorithms").
std::string date_text(int64_t days) {
  days += 719'468;
  const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097, day_of_era = days - era * 146'097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_index = (5 * day_of_year + 2) / 153, day = day_of_year - (153 * month_index + 2) / 5 + 1;
  const int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  return fmt::format("{:04}-{:02}-{:02}", year_of_era + era * 400 + (month <= 2), month, day);
}

class Workbook {
 public:
  Workbook(ZipFile& zip, OfficeWriter& out) : zip_(zip), out_(out) {}

  void read() {
    const std::string main = "xl/workbook.xml";
    const auto relations = relations_of(zip_, main);
    const Xml workbook(zip_.read(main).value_or(""), main);
    from_1904_ = attribute(child(workbook.root(), "workbookPr"), "date1904") == "1";
    read_strings();
    read_styles();
    for (const pugi::xml_node& sheet : child(workbook.root(), "sheets").children()) {
      const auto relation = relations.find(std::string_view(sheet.attribute("r:id").value()));
      if (relation == relations.end()) continue;
      std::optional<std::string> bytes = zip_.read(relation->second.target);
      if (!bytes) continue;
      const Xml xml(std::move(*bytes), relation->second.target);
      heading_ = attribute(sheet, "name");
      for (const pugi::xml_node& row : child(xml.root(), "sheetData").children()) read_row(row);
      out_.end_lines();
    }
  }

 private:
  /// Of a string with runs: their texts, but not the reading aids of Japanese.
  static std::string rich_text(const pugi::xml_node& node) {
    std::string text;
    for (const pugi::xml_node& each : node.children()) {
      if (local_name(each) == "t") text += text_below(each);
      if (local_name(each) == "r") text += text_below(child(each, "t"));
    }
    return text;
  }

  void read_strings() {
    std::optional<std::string> bytes = zip_.read("xl/sharedStrings.xml");
    if (!bytes) return;
    const Xml xml(std::move(*bytes), "xl/sharedStrings.xml");
    for (const pugi::xml_node& each : xml.root().children())
      if (local_name(each) == "si") strings_.push_back(collapse_spaces(rich_text(each)));
  }

  void read_styles() {
    std::optional<std::string> bytes = zip_.read("xl/styles.xml");
    if (!bytes) return;
    const Xml xml(std::move(*bytes), "xl/styles.xml");
    std::map<int64_t, NumberFormat> custom;
    for (const pugi::xml_node& each : child(xml.root(), "numFmts").children())
      custom[number_of(attribute(each, "numFmtId"))] = format_of(attribute(each, "formatCode"));
    for (const pugi::xml_node& each : child(xml.root(), "cellXfs").children()) {
      const int64_t id = number_of(attribute(each, "numFmtId"));
      const auto found = custom.find(id);
      formats_.push_back(found != custom.end() ? found->second : built_in_format(id));
    }
  }

  void read_row(const pugi::xml_node& row) {
    std::string line;
    bool any = false;
    for (const pugi::xml_node& cell : row.children()) {
      if (local_name(cell) != "c") continue;
      const std::string text = cell_text(cell);
      if (!line.empty() || any) line += '\t';
      line += text;
      any |= !text.empty();
    }
    if (!any) return;
    if (!heading_.empty()) {
      out_.heading(1, std::exchange(heading_, {}));
      out_.end_lines();
    }
    out_.line(line);
  }

  std::string cell_text(const pugi::xml_node& cell) const {
    const std::string_view type = attribute(cell, "t");
    if (type == "inlineStr") return collapse_spaces(rich_text(child(cell, "is")));
    const std::string value = text_below(child(cell, "v"));
    if (type == "s") {
      const int64_t index = number_of(value);
      return index >= 0 && index < static_cast<int64_t>(strings_.size()) ? strings_[static_cast<size_t>(index)] : "";
    }
    if (type == "b") return value == "1" ? "TRUE" : "FALSE";
    if (type == "str" || type == "e") return collapse_spaces(value);
    const int64_t style = number_of(attribute(cell, "s"));
    const bool known = style >= 0 && style < static_cast<int64_t>(formats_.size());
    return number_text(value, known ? formats_[static_cast<size_t>(style)] : NumberFormat::plain);
  }

  std::string number_text(const std::string& value, NumberFormat format) const {
    char* end = nullptr;
    const double number = std::strtod(value.c_str(), &end);
    if (value.empty() || *end != '\0' || !std::isfinite(number)) return collapse_spaces(value);
    // Fifteen digits are those that a spreadsheet shows: 0.1 + 0.2 is 0.3.
    if (format == NumberFormat::plain) return fmt::format("{:.15g}", number);
    if (format == NumberFormat::percent) return fmt::format("{:.12g}%", 100 * number);
    constexpr double kMaxDays = 2'958'466;  // the year 10000
    if (number < 0 || number >= kMaxDays) return fmt::format("{:.15g}", number);
    const auto seconds = static_cast<int64_t>(std::llround(number * 86'400));
    // Day 60 of 1900 is the 29th of February that never was: days before it are one off.
    int64_t day = seconds / 86'400 + (from_1904_ ? 1'462 : 0);
    day += day < 60 && !from_1904_;
    std::string date = date_text(day - 25'569);
    std::string time = fmt::format("{:02}:{:02}:{:02}", seconds % 86'400 / 3'600, seconds % 3'600 / 60, seconds % 60);
    if (format == NumberFormat::time || day == 0) return time;
    return format == NumberFormat::date ? date : date + " " + time;
  }

  ZipFile& zip_;
  OfficeWriter& out_;
  std::vector<std::string> strings_;
  std::vector<NumberFormat> formats_;
  std::string heading_;  // of the sheet, until it has a row
  bool from_1904_ = false;
};

}  // namespace

void read_xlsx(ZipFile& zip, OfficeWriter& out) {
  zip.load([](const std::string& name) {
    return name == "xl/workbook.xml" || name == "xl/_rels/workbook.xml.rels" || name == "xl/sharedStrings.xml" ||
           name == "xl/styles.xml" || name.starts_with("xl/worksheets/sheet") || name == "docProps/core.xml";
  });
  if (std::optional<std::string> core = zip.read("docProps/core.xml")) {
    const Xml properties(std::move(*core), "docProps/core.xml");
    out.title = collapse_spaces(text_below(child(properties.root(), "title")));
  }
  Workbook(zip, out).read();
}

}  // namespace frugal
