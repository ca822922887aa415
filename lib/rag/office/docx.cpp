// DOCX to text: paragraphs, headings by their style, lists, tables row by row, text boxes after their paragraph, foot-
// and endnotes at the end. Left out: deleted text, headers and footers, numbers that the word processor counts.
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "rag/office/office.h"
#include "rag/office/office_writer.h"
#include "rag/office/xml.h"
#include "rag/office/zip_file.h"

namespace frugal {
namespace {

constexpr size_t kMaxCellBytes = 300;  // a row of longer cells is a layout, and no table

bool is_left_out(std::string_view name) {
  return name == "del" || name == "moveFrom" || name == "Fallback" || name == "pPr" || name == "rPr" ||
         name == "sectPr" || name == "tblPr" || name == "instrText" || name == "delText";
}

int64_t number_of(std::string_view digits) {
  return is_digits(digits) && digits.size() < 4 ? std::stoll(std::string(digits)) : -1;
}

/// The level of a heading style, by its name ("heading 2") or its outline level; 0: it is none.
std::map<std::string, int64_t, std::less<>> heading_styles(ZipFile& zip) {
  std::map<std::string, int64_t, std::less<>> levels;
  std::optional<std::string> bytes = zip.read("word/styles.xml");
  if (!bytes) return levels;
  const Xml styles(std::move(*bytes), "word/styles.xml");
  for (const pugi::xml_node& style : styles.root().children()) {
    if (local_name(style) != "style" || attribute(style, "type") != "paragraph") continue;
    std::string name(attribute(child(style, "name"), "val"));
    for (char& c : name) c = ascii_lower(c);
    const int64_t outline = number_of(attribute(child(child(style, "pPr"), "outlineLvl"), "val"));
    int64_t level = outline >= 0 && outline < 6 ? outline + 1 : 0;
    if (name.starts_with("heading ")) level = std::max<int64_t>(number_of(name.substr(8)), level);
    if (name == "title") level = 1;
    if (level > 0) levels[std::string(attribute(style, "styleId"))] = level;
  }
  return levels;
}

class DocxReader {
 public:
  DocxReader(OfficeWriter& out, std::map<std::string, int64_t, std::less<>> levels)
      : out_(out), levels_(std::move(levels)) {}

  void blocks(const pugi::xml_node& parent, int depth) {
    check_depth(depth);
    for (const pugi::xml_node& each : parent.children()) {
      const std::string_view name = local_name(each);
      if (is_left_out(name)) continue;
      if (name == "p")
        paragraph(each, depth + 1);
      else if (name == "tbl")
        table(each, depth + 1);
      else
        blocks(each, depth + 1);
    }
  }

 private:
  void paragraph(const pugi::xml_node& node, int depth) {
    std::string text;
    std::vector<pugi::xml_node> boxes;
    inlines(node, text, boxes, depth);
    const pugi::xml_node properties = child(node, "pPr");
    const auto style = levels_.find(attribute(child(properties, "pStyle"), "val"));
    int64_t level = style == levels_.end() ? 0 : style->second;
    const int64_t outline = number_of(attribute(child(properties, "outlineLvl"), "val"));
    if (outline >= 0) level = outline < 6 ? outline + 1 : 0;
    if (level > 0)
      out_.heading(level, text);
    else if (child(properties, "numPr") && !trim(text).empty())
      out_.line("- " + std::string(trim(text)));
    else
      out_.paragraph(text);
    for (const pugi::xml_node& box : boxes) blocks(box, depth + 1);
  }

  /// The text of a paragraph. Text boxes in it are collected: each of them has paragraphs of its own.
  void inlines(const pugi::xml_node& parent, std::string& text, std::vector<pugi::xml_node>& boxes, int depth) {
    check_depth(depth);
    for (const pugi::xml_node& each : parent.children()) {
      const std::string_view name = local_name(each);
      if (is_left_out(name)) continue;
      if (name == "t")
        text += text_below(each);
      else if (name == "tab" || name == "ptab")
        text += '\t';
      else if (name == "br" || name == "cr")
        text += '\n';
      else if (name == "noBreakHyphen")
        text += '-';
      else if (name == "txbxContent")
        boxes.push_back(each);
      else
        inlines(each, text, boxes, depth + 1);
    }
  }

  void collect(const pugi::xml_node& parent, std::string_view wanted, std::vector<pugi::xml_node>& found, int depth) {
    check_depth(depth);
    for (const pugi::xml_node& each : parent.children()) {
      if (local_name(each) == wanted)
        found.push_back(each);
      else if (!is_left_out(local_name(each)) && local_name(each) != "p")
        collect(each, wanted, found, depth + 1);
    }
  }

  void table(const pugi::xml_node& node, int depth) {
    std::vector<pugi::xml_node> rows;
    collect(node, "tr", rows, depth);
    out_.end_lines();
    for (const pugi::xml_node& row : rows) table_row(row, depth + 1);
    out_.end_lines();
  }

  void table_row(const pugi::xml_node& row, int depth) {
    std::vector<pugi::xml_node> cells;
    collect(row, "tc", cells, depth);
    std::string line;
    bool is_line = true;
    for (const pugi::xml_node& cell : cells) {
      const std::string text = collapse_spaces(cell_text(cell, depth + 1));
      is_line &= text.size() <= kMaxCellBytes;
      line += (line.empty() ? "" : "\t") + text;
    }
    if (is_line && cells.size() > 1) return out_.line(line);
    for (const pugi::xml_node& cell : cells) blocks(cell, depth + 1);
  }

  std::string cell_text(const pugi::xml_node& parent, int depth) {
    check_depth(depth);
    std::string text;
    for (const pugi::xml_node& each : parent.children()) {
      std::vector<pugi::xml_node> boxes;
      if (is_left_out(local_name(each))) continue;
      if (local_name(each) == "p")
        inlines(each, text, boxes, depth + 1);
      else
        text += cell_text(each, depth + 1);
      for (const pugi::xml_node& box : boxes) text += " " + cell_text(box, depth + 1);
      text += ' ';
    }
    return text;
  }

  OfficeWriter& out_;
  std::map<std::string, int64_t, std::less<>> levels_;
};

}  // namespace

void read_docx(ZipFile& zip, OfficeWriter& out) {
  zip.load([](const std::string& name) {
    return name == "word/document.xml" || name == "word/styles.xml" || name == "word/footnotes.xml" ||
           name == "word/endnotes.xml" || name == "docProps/core.xml";
  });
  if (std::optional<std::string> core = zip.read("docProps/core.xml")) {
    const Xml properties(std::move(*core), "docProps/core.xml");
    out.title = collapse_spaces(text_below(child(properties.root(), "title")));
  }
  DocxReader reader(out, heading_styles(zip));
  for (const char* name : {"word/document.xml", "word/footnotes.xml", "word/endnotes.xml"})
    if (std::optional<std::string> bytes = zip.read(name)) {
      const Xml part(std::move(*bytes), name);
      reader.blocks(part.root(), 0);
    }
}

}  // namespace frugal
