// PDF and office files to text, from bytes in memory. Runs only in frugal-extract: the libraries that it calls read
// hostile files in a process with limits. Headings become lines with '#', as in rag/extract; a page begins at a form
// feed, of which the first page has none.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "rag/extract/extract.h"

namespace frugal {

struct OfficeText {
  std::string title;       // that the file gives itself; may be empty
  std::string text;        // UTF-8
  std::string note;        // what the reader should know: "3 of 20 pages have no text"
  int64_t first_page = 0;  // 1 if the format has pages
  bool is_markdown = false;
  std::string no_text = {};  // why the text is empty; empty: it is not
};

/// Throws Error(bad_input) if the bytes are not of this kind, encrypted, damaged, or beyond a limit.
OfficeText read_office(FileKind kind, const std::string& bytes, uint64_t max_text_bytes);
/// The error of a file without text.
Error without_text(FileKind kind, const OfficeText& text);

// One function per format, called by read_office().
class ZipFile;
class OfficeWriter;
OfficeText read_pdf(const std::string& bytes, uint64_t max_text_bytes);
void read_docx(ZipFile& zip, OfficeWriter& out);
void read_pptx(ZipFile& zip, OfficeWriter& out);
void read_xlsx(ZipFile& zip, OfficeWriter& out);
void read_odf(ZipFile& zip, OfficeWriter& out);
void read_epub(ZipFile& zip, OfficeWriter& out);

}  // namespace frugal
