#include "rag/office/figures.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/ascii.h"
#include "rag/office/zip_file.h"

namespace frugal {
namespace {

constexpr std::string_view kImageExtensions[] = {".jpg", ".jpeg", ".png", ".gif", ".webp"};

/// Where these archives keep pictures; of a book, anywhere.
std::string_view picture_folder(FileKind kind) {
  switch (kind) {
    case FileKind::docx:
      return "word/media/";
    case FileKind::pptx:
      return "ppt/media/";
    case FileKind::odf:
      return "Pictures/";
    default:
      return "";
  }
}

bool is_picture(FileKind kind, const std::string& name) {
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(), ascii_lower);
  return name.starts_with(picture_folder(kind)) &&
         std::any_of(std::begin(kImageExtensions), std::end(kImageExtensions),
                     [&](std::string_view extension) { return lower.ends_with(extension); });
}

}  // namespace

void find_archive_figures(FileKind kind, const std::string& bytes, const FigureSink& sink) {
  ZipFile zip(bytes);
  std::vector<std::string> names;
  zip.load([&](const std::string& name) {
    if (!is_picture(kind, name)) return false;
    names.push_back(name);
    return true;
  });
  // image2 before image10
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  for (const std::string& name : names)
    if (const std::optional<std::string> image = zip.read(name); image && !sink(*image, 0)) return;
}

void find_figures(FileKind kind, const std::string& bytes, const FigureSink& sink) {
  if (kind == FileKind::pdf) return find_pdf_figures(bytes, sink);
  find_archive_figures(kind, bytes, sink);
}

}  // namespace frugal
