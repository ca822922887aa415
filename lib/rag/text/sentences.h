// Where the sentences of a text begin and end.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace frugal {

/// A sentence of a text, as byte range; abbreviations of legal and common use ("art.", "Dr.", "nº") do not end one.
struct Sentence {
  uint32_t begin = 0;
  uint32_t end = 0;
};
std::vector<Sentence> split_sentences(std::string_view text);

}  // namespace frugal
