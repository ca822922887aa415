#include "measure/report/table.h"

#include <algorithm>

#include "base/error.h"

namespace frugal {
namespace {

// Code points: the columns of this project hold names and numbers, no wide characters.
size_t display_width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string markdown_cell(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  FRUGAL_CHECK(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::vector<size_t> Table::widths() const {
  std::vector<size_t> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.name));
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  return widths;
}

std::string Table::padded(const std::string& cell, size_t column, size_t width) const {
  const std::string padding(width - display_width(cell), ' ');
  return columns_[column].align == Align::right ? padding + cell : cell + padding;
}

std::string Table::text() const {
  const std::vector<size_t> width = widths();
  std::string out;
  const auto add_line = [&](auto cell_of) {
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i) line += (i ? "  " : "") + padded(cell_of(i), i, width[i]);
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  add_line([&](size_t i) { return columns_[i].name; });
  for (const auto& row : rows_) add_line([&](size_t i) { return row[i]; });
  return out;
}

std::string Table::markdown() const {
  std::string head = "|", rule = "|", body;
  for (const Column& column : columns_) {
    head += " " + markdown_cell(column.name) + " |";
    rule += column.align == Align::right ? "---:|" : "---|";
  }
  for (const auto& row : rows_) {
    body += "|";
    for (const std::string& cell : row) body += " " + markdown_cell(cell) + " |";
    body += "\n";
  }
  return head + "\n" + rule + "\n" + body;
}

std::string Table::aligned_markdown() const {
  Table escaped(columns_);
  for (Column& column : escaped.columns_) column.name = markdown_cell(column.name);
  for (const auto& row : rows_) {
    std::vector<std::string> cells;
    cells.reserve(row.size());
    for (const std::string& cell : row) cells.push_back(markdown_cell(cell));
    escaped.add(std::move(cells));
  }
  const std::vector<size_t> width = escaped.widths();
  const auto line = [&](auto cell_of) {
    std::string cells = "|";
    for (size_t i = 0; i < columns_.size(); ++i) cells += " " + escaped.padded(cell_of(i), i, width[i]) + " |";
    return cells + "\n";
  };
  std::string out = line([&](size_t i) { return escaped.columns_[i].name; }) + "|";
  for (size_t i = 0; i < columns_.size(); ++i)
    out += std::string(width[i] + 1, '-') + (columns_[i].align == Align::right ? ":|" : "-|");
  out += "\n";
  for (const auto& row : escaped.rows_) out += line([&](size_t i) { return row[i]; });
  return out;
}

std::string Table::csv() const {
  std::string out;
  for (size_t i = 0; i < columns_.size(); ++i) out += (i ? "," : "") + csv_field(columns_[i].name);
  out += "\r\n";
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) out += (i ? "," : "") + csv_field(row[i]);
    out += "\r\n";
  }
  return out;
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace frugal
