#include "rag/office/office.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "rag/office/office_writer.h"
#include "rag/office/zip_file.h"

namespace frugal {
namespace {

constexpr size_t kMarkWithin = 1024;  // readers of PDF look this far for "%PDF-"
constexpr std::string_view kZipMark = "PK\x03\x04", kOleMark = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// What the bytes are, if another format has such a begin.
std::string_view kind_by_mark(std::string_view bytes) {
  if (bytes.substr(0, kMarkWithin).find("%PDF-") != std::string_view::npos) return "a PDF";
  if (bytes.starts_with(kZipMark)) return "a ZIP archive";
  if (bytes.starts_with(kOleMark)) return "an encrypted office file, or one of Office 97";
  if (bytes.find('\0') == std::string_view::npos) return "text";
  return "something else";
}

/// The entry that makes an archive a file of this kind.
std::string_view main_entry(FileKind kind) {
  switch (kind) {
    case FileKind::docx:
      return "word/document.xml";
    case FileKind::pptx:
      return "ppt/presentation.xml";
    case FileKind::xlsx:
      return "xl/workbook.xml";
    case FileKind::odf:
      return "content.xml";
    case FileKind::epub:
      return "META-INF/container.xml";
    default:
      return {};
  }
}

void read_archive(FileKind kind, ZipFile& zip, OfficeWriter& out) {
  switch (kind) {
    case FileKind::docx:
      return read_docx(zip, out);
    case FileKind::pptx:
      return read_pptx(zip, out);
    case FileKind::xlsx:
      return read_xlsx(zip, out);
    case FileKind::odf:
      return read_odf(zip, out);
    case FileKind::epub:
      return read_epub(zip, out);
    default:
      throw Error(Code::bad_input, "no office file");
  }
}

OfficeText read_checked(FileKind kind, const std::string& bytes, uint64_t max_text_bytes) {
  const std::string_view mark = kind_by_mark(bytes);
  if (bytes.empty()) throw Error(Code::bad_input, "empty");
  if (mark != (kind == FileKind::pdf ? "a PDF" : "a ZIP archive"))
    throw Error(Code::bad_input, fmt::format("the file is {}", mark));
  if (kind == FileKind::pdf) return read_pdf(bytes, max_text_bytes);
  ZipFile zip(bytes);
  if (!zip.has(std::string(main_entry(kind))))
    throw Error(Code::bad_input, fmt::format("the archive has no '{}'", main_entry(kind)));
  OfficeWriter out(max_text_bytes);
  read_archive(kind, zip, out);
  if (out.text().find_first_not_of(" \t\r\n\f") != std::string::npos)
    return {out.title, std::move(out.text()), "", out.has_pages() ? 1 : 0, true};
  return {out.title, "", "", out.has_pages() ? 1 : 0, true, "no text"};
}

}  // namespace

Error without_text(FileKind kind, const OfficeText& text) {
  return Error(Code::bad_input, fmt::format("{}: {}", to_string(kind), text.no_text));
}

OfficeText read_office(FileKind kind, const std::string& bytes, uint64_t max_text_bytes) {
  try {
    return read_checked(kind, bytes, max_text_bytes);
  } catch (Error& error) {
    error.within(to_string(kind));
    throw;
  }
}

}  // namespace frugal
