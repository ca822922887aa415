// Finds where a text says almost what a quote says.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace frugal {

struct NearMatch {
  uint64_t begin = 0, end = 0;  // bytes of the text
  float share = 0;              // of the quote's words that stand there, in their order
};

/// The best place with at least kMinShare of the quote's words, and at least three; nullopt if there is none, or if the
/// quote is longer than any that an answer has. Memory is that of a small part of the text.
std::optional<NearMatch> find_near(std::string_view text, std::string_view quote);
inline constexpr float kMinShare = 0.6f;

}  // namespace frugal
