// A table as text, Markdown or CSV.
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
  /// As many cells as columns.
  void add(std::vector<std::string> cells);

  /// Columns padded to their widest cell, two spaces between.
  std::string text() const;
  std::string markdown() const;
  /// RFC 4180, with a header row.
  std::string csv() const;

 private:
  std::string padded(const std::string& cell, size_t column, size_t width) const;
  std::vector<size_t> widths() const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// A field of a CSV row: quoted where it has to be.
std::string csv_field(std::string_view text);

}  // namespace frugal
