// Bytes to UTF-8: guesses the encoding of files that do not declare one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rag/extract/source_map.h"

namespace frugal {

struct DecodedText {
  std::string text;                 // valid UTF-8
  std::string note;                 // how the bytes were read, if not as UTF-8
  std::optional<SourceMap> source;  // where the text's bytes are among those decoded; absent: they are the same
};

/// Keeps UTF-8 unchanged (a byte-order mark stays, so that offsets match the file). Decodes UTF-16 and UTF-32 by their
/// byte-order marks, and anything else as Windows-1252, unless only a few bytes are ill-formed: those become U+FFFD.
/// Throws Error(bad_input) for binary data (a NUL byte), naming its offset.
DecodedText decode_text(std::string bytes);

/// `text` without a leading byte-order mark.
std::string_view without_mark(std::string_view text);

/// The character of a code in Windows-1252, which is Latin-1 but for 0x80 to 0x9F.
char32_t windows_1252_character(char32_t code);

}  // namespace frugal
