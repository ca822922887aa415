// The printable alphabet of byte-level BPE vocabularies: one character per byte (Radford et al. 2019).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace frugal {

/// The bytes that a token encodes; nullopt if a character is not of the alphabet.
std::optional<std::string> from_byte_level(std::string_view token);
/// The character that encodes `byte`, in UTF-8.
std::string to_byte_level(unsigned char byte);

}  // namespace frugal
