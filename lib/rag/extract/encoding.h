// Bytes to UTF-8: what files that say nothing of their encoding most likely are.
#pragma once

#include <string>
#include <string_view>

namespace frugal {

struct DecodedText {
  std::string text;  // valid UTF-8
  std::string note;  // how it was read, where that was not as UTF-8
};

/// UTF-8 as it is (a byte-order mark stays, so that offsets are those of the file); UTF-16 by its byte-order mark;
/// anything else as Windows-1252, unless only a few bytes are ill-formed: those become U+FFFD. Throws Error(bad_input)
/// for binary data (a NUL byte) and names its offset.
DecodedText decode_text(std::string bytes);

/// `text` without a leading byte-order mark.
std::string_view without_mark(std::string_view text);

}  // namespace frugal
