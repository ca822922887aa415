// Extended grapheme clusters (Unicode Standard Annex 29) as Hugging Face's tokenizers find them: a letter with its
// marks, an emoji sequence, CR LF. Not for display.
#pragma once

#include <cstddef>
#include <string_view>

namespace frugal::unicode {

/// The byte after the grapheme cluster that begins at byte `at` < text.size(). Takes time in the cluster's length.
size_t grapheme_end(std::string_view text, size_t at);

}  // namespace frugal::unicode
