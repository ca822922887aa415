// HTML to text, for whatever holds a page: a file, a part of an e-mail, a chapter of a book.
#pragma once

#include <string>

#include "rag/extract/extract.h"

namespace frugal {

/// Converts `html`, in UTF-8: headings become lines with '#', blank lines separate paragraphs. Its `source` maps to
/// `html`. Throws Error(bad_input) if elements are nested too deep.
Document document_of_html(const std::string& html);

}  // namespace frugal
