// PPTX to text: a slide is a page, its title a heading, and its notes follow it.
#include "base/ascii.h"
#include "rag/office/office.h"
#include "rag/office/office_writer.h"
#include "rag/office/relations.h"
#include "rag/office/xml.h"
#include "rag/office/zip_file.h"

namespace frugal {
namespace {

class SlideReader {
 public:
  explicit SlideReader(OfficeWriter& out) : out_(out) {}

  void shapes(const pugi::xml_node& parent, int depth) {
    check_depth(depth);
    for (const pugi::xml_node& each : parent.children()) {
      const std::string_view name = local_name(each);
      if (name == "Fallback" || name == "extLst") continue;
      if (name == "sp")
        shape(each, depth + 1);
      else if (name == "tr")
        table_row(each, depth + 1);
      else
        shapes(each, depth + 1);
    }
  }

 private:
  void shape(const pugi::xml_node& node, int depth) {
    const std::string_view holder =
        attribute(child(child(child(node, "nvSpPr"), "nvPr"), "ph"), "type");  // a title, a number, a date
    if (holder == "sldNum" || holder == "dt" || holder == "ftr" || holder == "hdr") return;
    const pugi::xml_node body = child(node, "txBody");
    const bool is_title = holder == "title" || holder == "ctrTitle";
    out_.end_lines();
    std::string title;
    for (const pugi::xml_node& each : body.children()) {
      if (local_name(each) != "p") continue;
      const std::string text = paragraph(each, depth + 1);
      if (is_title)
        title += " " + text;
      else
        out_.line(trim(text));
    }
    out_.heading(1, title);
    out_.end_lines();
  }

  std::string paragraph(const pugi::xml_node& parent, int depth) {
    check_depth(depth);
    std::string text;
    for (const pugi::xml_node& each : parent.children()) {
      const std::string_view name = local_name(each);
      if (name == "t")
        text += text_below(each);
      else if (name == "br")
        text += '\n';
      else if (name != "pPr" && name != "rPr" && name != "Fallback")
        text += paragraph(each, depth + 1);
    }
    return text;
  }

  void table_row(const pugi::xml_node& row, int depth) {
    std::string line;
    for (const pugi::xml_node& cell : row.children()) {
      if (local_name(cell) != "tc") continue;
      std::string text;
      for (const pugi::xml_node& each : child(cell, "txBody").children())
        if (local_name(each) == "p") text += " " + paragraph(each, depth + 1);
      line += (line.empty() ? "" : "\t") + collapse_spaces(text);
    }
    out_.line(line);
  }

  OfficeWriter& out_;
};

void read_slide(ZipFile& zip, const std::string& name, OfficeWriter& out) {
  std::optional<std::string> bytes = zip.read(name);
  if (!bytes) return;
  const Xml slide(std::move(*bytes), name);
  SlideReader(out).shapes(slide.root(), 0);
}

}  // namespace

void read_pptx(ZipFile& zip, OfficeWriter& out) {
  const std::string main = "ppt/presentation.xml";
  zip.load([](const std::string& name) {
    return name.starts_with("ppt/presentation.xml") || name.starts_with("ppt/_rels/") ||
           name.starts_with("ppt/slides/") || name.starts_with("ppt/notesSlides/") || name == "docProps/core.xml";
  });
  if (std::optional<std::string> core = zip.read("docProps/core.xml")) {
    const Xml properties(std::move(*core), "docProps/core.xml");
    out.title = collapse_spaces(text_below(child(properties.root(), "title")));
  }
  const auto relations = relations_of(zip, main);
  const Xml presentation(zip.read(main).value_or(""), main);
  for (const pugi::xml_node& each : child(presentation.root(), "sldIdLst").children()) {
    const auto relation = relations.find(std::string_view(each.attribute("r:id").value()));
    out.page();
    if (relation == relations.end()) continue;
    read_slide(zip, relation->second.target, out);
    for (const auto& [id, other] : relations_of(zip, relation->second.target))
      if (other.type == "notesSlide") read_slide(zip, other.target, out);
  }
}

}  // namespace frugal
