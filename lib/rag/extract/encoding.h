// Bytes to UTF-8: guesses the encoding of files that do not declare one.
#pragma once

#include <string>
#include <string_view>

namespace frugal {

struct DecodedText {
  std::string text;  // valid UTF-8
  std::string note;  // how the bytes were read, if not as UTF-8
};

/// Keeps UTF-8 unchanged (a byte-order mark stays, so that offsets match the file). Decodes UTF-16 by its byte-order
/// mark, and anything else as Windows-1252, unless only a few bytes are ill-formed: those become U+FFFD. Throws
/// Error(bad_input) for binary data (a NUL byte), naming its offset.
DecodedText decode_text(std::string bytes);

/// `text` without a leading byte-order mark.
std::string_view without_mark(std::string_view text);

}  // namespace frugal
