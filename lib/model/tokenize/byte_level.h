// The printable alphabet in which byte-level BPE vocabularies are written: one character a byte (Radford et al. 2019).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace frugal {

/// The bytes that a token stands for; nullopt if a character of it is none of the alphabet.
std::optional<std::string> from_byte_level(std::string_view token);
/// The character that stands for `byte`, in UTF-8.
std::string to_byte_level(unsigned char byte);

}  // namespace frugal
