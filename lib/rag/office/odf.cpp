// OpenDocument (text, spreadsheet, presentation) to text: paragraphs, headings, lists, tables row by row, slides as
// pages, footnotes after their paragraph. Left out: deleted text, comments, what a field shows in the master page.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/error.h"
#include "rag/office/office.h"
#include "rag/office/office_writer.h"
#include "rag/office/xml.h"
#include "rag/office/zip_file.h"

namespace frugal {
namespace {

constexpr size_t kMaxCellBytes = 300;  // a row of longer cells is a layout, and no table
constexpr int64_t kMaxRepeats = 64;    // of a cell or a row: sheets are filled up to their last column
constexpr int64_t kMaxSpaces = 16;

int64_t number_of(std::string_view digits, int64_t otherwise) {
  return is_digits(digits) && digits.size() < 10 ? std::stoll(std::string(digits)) : otherwise;
}

bool is_left_out(std::string_view name) {
  return name == "tracked-changes" || name == "annotation" || name == "annotation-end" || name == "note-citation" ||
         name == "sequence-decls" || name == "forms" || name == "desc" || name == "page-number" || name == "settings" ||
         name == "event-listeners" || name == "dde-source";
}

class OdfReader {
 public:
  explicit OdfReader(OfficeWriter& out) : out_(out) {}

  void blocks(const pugi::xml_node& parent, int depth) {
    check_depth(depth);
    for (const pugi::xml_node& each : parent.children()) {
      const std::string_view name = local_name(each);
      if (is_left_out(name)) continue;
      if (name == "h" || name == "p")
        paragraph(each, name == "h", depth + 1);
      else if (name == "table")
        table(each, depth + 1);
      else if (name == "page")
        page(each, depth + 1);
      else if (name == "list-item")
        list_item(each, depth + 1);
      else
        blocks(each, depth + 1);
    }
  }

 private:
  void page(const pugi::xml_node& node, int depth) {
    out_.page();
    blocks(node, depth);
  }

  void list_item(const pugi::xml_node& node, int depth) {
    in_list_ = true;
    blocks(node, depth);
    in_list_ = false;
  }

  void paragraph(const pugi::xml_node& node, bool is_heading, int depth) {
    std::string text;
    std::vector<pugi::xml_node> inner;
    inlines(node, text, inner, depth);
    if (is_heading)
      out_.heading(number_of(attribute(node, "outline-level"), 1), text);
    else if (std::exchange(in_list_, false) && !trim(text).empty())
      out_.line("- " + std::string(trim(text)));
    else
      out_.paragraph(text);
    for (const pugi::xml_node& each : inner) blocks(each, depth + 1);
  }

  /// The text of a paragraph. Notes and frames in it are collected: they have paragraphs of their own.
  void inlines(const pugi::xml_node& parent, std::string& text, std::vector<pugi::xml_node>& inner, int depth) {
    check_depth(depth);
    for (const pugi::xml_node& each : parent.children()) {
      const std::string_view name = local_name(each);
      if (each.type() != pugi::node_element)
        text += collapse_breaks(each.value());
      else if (is_left_out(name))
        continue;
      else if (name == "s")
        text.append(static_cast<size_t>(std::clamp<int64_t>(number_of(attribute(each, "c"), 1), 0, kMaxSpaces)), ' ');
      else if (name == "tab")
        text += '\t';
      else if (name == "line-break")
        text += '\n';
      else if (name == "note-body" || name == "text-box" || name == "table")
        inner.push_back(each);
      else
        inlines(each, text, inner, depth + 1);
    }
  }

  /// A line break of the XML is a space; text has its own element for one.
  static std::string collapse_breaks(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
  }

  void table(const pugi::xml_node& node, int depth) {
    out_.end_lines();
    if (is_sheet(node)) {
      out_.heading(1, std::string(attribute(node, "name")));
      out_.end_lines();
    }
    rows(node, depth);
    out_.end_lines();
  }

  static bool is_sheet(const pugi::xml_node& node) { return local_name(node.parent()) == "spreadsheet"; }

  void rows(const pugi::xml_node& parent, int depth) {
    check_depth(depth);
    for (const pugi::xml_node& each : parent.children()) {
      const std::string_view name = local_name(each);
      if (name == "table-row")
        row(each, depth + 1);
      else if (!is_left_out(name))
        rows(each, depth + 1);
    }
  }

  void row(const pugi::xml_node& node, int depth) {
    std::string line;
    size_t cells = 0;
    bool is_line = true;
    std::vector<pugi::xml_node> nodes;
    for (const pugi::xml_node& cell : node.children()) {
      if (local_name(cell) != "table-cell" && local_name(cell) != "covered-table-cell") continue;
      const std::string text = collapse_spaces(cell_text(cell, depth + 1));
      is_line &= text.size() <= kMaxCellBytes;
      nodes.push_back(cell);
      const int64_t repeats = number_of(attribute(cell, "number-columns-repeated"), 1);
      for (int64_t i = 0; i < (text.empty() ? 1 : std::min(repeats, kMaxRepeats)); ++i)
        line += (cells++ == 0 ? "" : "\t") + text;
    }
    while (line.ends_with('\t')) line.pop_back();
    const int64_t repeats = line.empty() ? 0 : number_of(attribute(node, "number-rows-repeated"), 1);
    if (is_line && cells > 1)
      for (int64_t i = 0; i < std::min(repeats, kMaxRepeats); ++i) out_.line(line);
    else
      for (const pugi::xml_node& cell : nodes) blocks(cell, depth + 1);
  }

  std::string cell_text(const pugi::xml_node& parent, int depth) {
    check_depth(depth);
    std::string text;
    for (const pugi::xml_node& each : parent.children()) {
      const std::string_view name = local_name(each);
      if (is_left_out(name)) continue;
      std::vector<pugi::xml_node> inner;
      if (name == "p" || name == "h")
        inlines(each, text, inner, depth + 1);
      else
        text += cell_text(each, depth + 1);
      for (const pugi::xml_node& other : inner) text += " " + cell_text(other, depth + 1);
      text += ' ';
    }
    return text;
  }

  OfficeWriter& out_;
  bool in_list_ = false;  // before the first paragraph of an item
};

}  // namespace

void read_odf(ZipFile& zip, OfficeWriter& out) {
  zip.load([](const std::string& name) {
    return name == "content.xml" || name == "meta.xml" || name == "META-INF/manifest.xml";
  });
  if (const std::optional<std::string> manifest = zip.read("META-INF/manifest.xml");
      manifest && manifest->find("encryption-data") != std::string::npos)
    throw Error(Code::bad_input, "encrypted: it opens only with a password");
  if (std::optional<std::string> meta = zip.read("meta.xml")) {
    const Xml properties(std::move(*meta), "meta.xml");
    out.title = collapse_spaces(text_below(child(child(properties.root(), "meta"), "title")));
  }
  const Xml content(zip.read("content.xml").value_or(""), "content.xml");
  OdfReader(out).blocks(child(content.root(), "body"), 0);
}

}  // namespace frugal
