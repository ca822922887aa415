// ASCII base 85, in which some programs write the binary streams of a PDF (ISO 32000-1, 7.4.3: ASCII85Decode).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace frugal {

/// Up to "~>" or the end. nullopt: it has a character or a group that means nothing.
std::optional<std::string> decode_ascii85(std::string_view text);

}  // namespace frugal
