// Builds the blob of a tokenizer from a SentencePiece model. Internal to the builders of tokenizers.
#pragma once

#include <string>

#include "model/format/checkpoint.h"
#include "model/vocabulary/sentencepiece_rules.h"
#include "model/vocabulary/vocabulary_builder.h"

namespace frugal {

/// Throws as apply_sentencepiece_rules().
std::string build_sentencepiece(const TokenizerSource& source);
/// Throws as apply_gguf_rules().
std::string build_gguf_sentencepiece(const TokenizerSource& source);

/// Adds the special tokens and those that are defined by users, whose pieces `vocabulary` has, the roles of tokens and
/// the template.
void add_sentencepiece_roles(const SentencePieceTokenizer& source, VocabularyBuilder& vocabulary);

}  // namespace frugal
