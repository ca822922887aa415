// A table of strings, printed as text, Markdown or CSV.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace frugal {

class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string name;
    Align align = Align::left;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Adds a row; it must have as many cells as there are columns.
  void add(std::vector<std::string> cells);

  /// Columns padded to their widest cell, two spaces apart.
  std::string text() const;
  std::string markdown() const;
  /// Markdown whose columns are padded to their widest cell: readable as text, too.
  std::string aligned_markdown() const;
  /// RFC 4180, with a header row.
  std::string csv() const;

 private:
  std::string padded(const std::string& cell, size_t column, size_t width) const;
  std::vector<size_t> widths() const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

inline constexpr Table::Align kRight = Table::Align::right;

/// `text` as a CSV field, quoted if necessary.
std::string csv_field(std::string_view text);

}  // namespace frugal
