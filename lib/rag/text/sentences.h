// Splits a text into sentences, by rules (sentences.cpp lists them). No model.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace frugal {

/// The byte range of a sentence. Abbreviations of legal and common use ("art.", "Dr.", "nº") do not end one.
struct Sentence {
  uint32_t begin = 0;
  uint32_t end = 0;
};
std::vector<Sentence> split_sentences(std::string_view text);

}  // namespace frugal
