// Builds a tokenizer from its published form: tokenizer.json, a SentencePiece model, vocab.txt, GGUF metadata.
#pragma once

#include <string>

#include "model/format/checkpoint.h"

namespace frugal {

/// A pack's "tokenizer" blob (model/tokenize/tokenizer_blob.h). Throws Error(bad_input) naming the unsupported feature,
/// and Error(corrupt_file) for a SentencePiece model that is damaged.
std::string build_tokenizer_blob(const TokenizerSource& source);

}  // namespace frugal
