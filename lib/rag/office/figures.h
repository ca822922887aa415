// The figures in PDF and office files: the images that they hold as JPEG, PNG, WebP or GIF. Runs only in
// frugal-extract.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "rag/extract/extract.h"

namespace frugal {

/// Gets the bytes of an image file, which may be damaged, and its page from 1, or 0 if that is not known. False: no
/// more are wanted.
using FigureSink = std::function<bool(std::string_view image, int64_t page)>;

/// Passes each image once, of a PDF by page, of an archive by name. Throws Error(bad_input) for an archive beyond a
/// limit; of a damaged PDF it finds what it can.
void find_figures(FileKind kind, const std::string& bytes, const FigureSink& sink);

// One function per family of formats, called by find_figures().
void find_pdf_figures(std::string_view bytes, const FigureSink& sink);
void find_archive_figures(FileKind kind, const std::string& bytes, const FigureSink& sink);

}  // namespace frugal
