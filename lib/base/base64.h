// Base 64 (RFC 4648, 4), in which JSON carries bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace frugal {

void append_base64(std::string& out, std::string_view bytes);
/// nullopt: it is none. Line feeds are skipped, padding may be missing.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace frugal
