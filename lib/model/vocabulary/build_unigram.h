// Builds the blob of a Unigram tokenizer. Internal to the builders of tokenizers.
#pragma once

#include <string>

#include "model/format/checkpoint.h"

namespace frugal {

class JsonField;
struct SentencePieceTokenizer;

/// From an E5S1 file. Throws Error(bad_input).
std::string build_unigram(const UnigramSource& source);
/// From the root of a tokenizer.json whose model is a Unigram, and a tokenizer_config.json. Throws Error(bad_input)
/// naming the unsupported feature.
std::string build_unigram(const JsonField& root, const JsonField& config);
/// From a SentencePiece model of the type unigram. Throws Error(bad_input).
std::string build_unigram(const SentencePieceTokenizer& source);

}  // namespace frugal
