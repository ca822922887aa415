// EPUB to text: the pages of the book in their order, each read as HTML.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/ascii.h"
#include "base/error.h"
#include "rag/extract/encoding.h"
#include "rag/extract/html_document.h"
#include "rag/office/office.h"
#include "rag/office/office_writer.h"
#include "rag/office/relations.h"
#include "rag/office/xml.h"
#include "rag/office/zip_file.h"

namespace frugal {
namespace {

/// In XHTML, <script/> and <title/> are whole elements; in HTML they would hold the rest of the page.
std::string with_end_tags(const std::string& xhtml) {
  constexpr std::string_view kNames[] = {"script", "title", "style", "textarea", "iframe", "noscript"};
  std::string html;
  for (size_t at = 0; at < xhtml.size();) {
    const size_t begin = std::min(xhtml.find('<', at), xhtml.size());
    const size_t end = std::min(xhtml.find('>', begin), xhtml.size());
    html.append(xhtml, at, end - at);
    at = end;
    if (end == xhtml.size() || xhtml[end - 1] != '/') continue;
    const std::string_view tag = std::string_view(xhtml).substr(begin + 1, end - begin - 1);
    const std::string_view name = tag.substr(0, tag.find_first_of(" \t\r\n/"));
    if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames)) continue;
    html.back() = ' ';
    html += fmt::format("></{}", name);
  }
  return html;
}

std::string unescaped(std::string_view path) {
  std::string text;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'                             ? c - '0'
           : ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f' ? ascii_lower(c) - 'a' + 10
                                                            : -1;
  };
  for (size_t i = 0; i < path.size(); ++i) {
    const bool escaped = path[i] == '%' && i + 2 < path.size() && digit(path[i + 1]) >= 0 && digit(path[i + 2]) >= 0;
    text += escaped ? static_cast<char>(digit(path[i + 1]) * 16 + digit(path[i + 2])) : path[i];
    i += escaped ? 2 : 0;
  }
  return text;
}

bool is_page(std::string_view media_type) {
  return media_type == "application/xhtml+xml" || media_type == "text/html";
}

}  // namespace

void read_epub(ZipFile& zip, OfficeWriter& out) {
  const std::string container_name = "META-INF/container.xml";
  const Xml container(zip.read(container_name).value_or(""), container_name);
  const std::string book(attribute(child(child(container.root(), "rootfiles"), "rootfile"), "full-path"));
  std::optional<std::string> bytes = zip.read(book);
  if (!bytes) throw Error(Code::bad_input, "damaged: it has no table of its pages");
  const Xml package(std::move(*bytes), book);
  out.title = collapse_spaces(text_below(child(child(package.root(), "metadata"), "title")));

  std::map<std::string, std::string, std::less<>> pages;  // id → entry
  std::vector<std::string> order;
  std::set<std::string> wanted;
  for (const pugi::xml_node& item : child(package.root(), "manifest").children())
    if (is_page(attribute(item, "media-type")))
      pages[std::string(attribute(item, "id"))] = resolve_entry(book, unescaped(attribute(item, "href")));
  for (const pugi::xml_node& item : child(package.root(), "spine").children())
    if (const auto page = pages.find(attribute(item, "idref"));
        page != pages.end() && wanted.insert(page->second).second)
      order.push_back(page->second);

  zip.load([&](const std::string& name) { return wanted.contains(name); });
  const std::optional<std::string> rights = zip.read("META-INF/encryption.xml");
  for (const std::string& name : order) {
    if (rights && rights->find(name) != std::string::npos)
      throw Error(Code::bad_input, "encrypted: its pages are under rights management");
    std::optional<std::string> page = zip.read(name);
    if (page) out.block(document_of_html(with_end_tags(decode_text(std::move(*page)).text)).text);
  }
}

}  // namespace frugal
