// PDF to text by poppler, page by page in its reading order, which knows columns.
#include <fmt/format.h>
#include <poppler-document.h>
#include <poppler-global.h>
#include <poppler-page.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "base/ascii.h"
#include "base/error.h"
#include "rag/office/office.h"
#include "rag/office/office_writer.h"
#include "rag/office/page_text.h"

namespace frugal {
namespace {

std::string utf8(const poppler::ustring& text) {
  const poppler::byte_array bytes = text.to_utf8();
  return {bytes.begin(), bytes.end()};
}

/// The title of the document's information, unless it is the name of a file, as word processors write it.
std::string title_of(const poppler::document& document) {
  const std::string title = collapse_spaces(utf8(document.get_title()));
  std::string lower = title;
  std::transform(lower.begin(), lower.end(), lower.begin(), ascii_lower);
  const bool is_name = lower.starts_with("microsoft ") || lower.starts_with("untitled") ||
                       (lower.find(' ') == std::string::npos && lower.find('.') != std::string::npos);
  return is_name ? std::string() : title;
}

bool has_text(std::string_view page) {
  return page.find_first_not_of(" \t\r\n\f") != std::string_view::npos;
}

}  // namespace

OfficeText read_pdf(const std::string& bytes, uint64_t max_text_bytes) {
  poppler::set_debug_error_function([](const std::string&, void*) {}, nullptr);
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()))
    throw Error(Code::bad_input, "larger than 2 GiB");
  const std::unique_ptr<poppler::document> document(
      poppler::document::load_from_raw_data(bytes.data(), static_cast<int>(bytes.size())));
  if (!document) throw Error(Code::bad_input, "damaged: it cannot be opened");
  if (document->is_locked()) throw Error(Code::bad_input, "encrypted: it opens only with a password");
  const int num_pages = document->pages();
  if (num_pages < 1) throw Error(Code::bad_input, "damaged: it has no pages");

  OfficeText result;
  std::vector<std::string> pages;
  uint64_t text_bytes = 0;
  int damaged = 0, empty = 0;
  for (int i = 0; i < num_pages; ++i) {
    const std::unique_ptr<poppler::page> page(document->create_page(i));
    damaged += !page;
    pages.push_back(page ? utf8(page->text(poppler::rectf(), poppler::page::non_raw_non_physical_layout)) : "");
    empty += page && !has_text(pages.back());
    text_bytes += pages.back().size();
    check_text_bytes(text_bytes, max_text_bytes);
  }
  if (damaged == num_pages) throw Error(Code::bad_input, "damaged: none of its pages can be read");
  if (damaged + empty == num_pages)
    result.no_text = fmt::format("no text in its {} page{}: a scan? add the text first, for example with ocrmypdf",
                                 num_pages, num_pages == 1 ? "" : "s");
  else if (empty > 0)
    result.note = fmt::format("{} of {} pages have no text", empty, num_pages);
  if (damaged > 0)
    result.note += fmt::format("{}{} of {} pages are damaged", empty > 0 ? "; " : "", damaged, num_pages);
  result.title = title_of(*document);
  result.first_page = 1;
  if (result.no_text.empty()) result.text = text_of_pages(std::move(pages));
  return result;
}

}  // namespace frugal
