// The token ids that a model is given: the template around a text, and checks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "model/tokenize/tokenizer.h"

namespace frugal {

/// The template around the text ([CLS] text [SEP]), which is truncated so that at most `max` tokens result.
std::vector<TokenId> templated_ids(const Tokenizer& tokenizer, std::string_view text, int64_t max);
/// Throws Error(corrupt_file) for an id outside the vocabulary of the model in `file`.
void check_token_ids(std::span<const TokenId> ids, int64_t vocab, const std::filesystem::path& file);
/// Throws Error(bad_input) if there are no tokens, or more than `max`.
void check_input_length(int64_t tokens, int64_t max);

}  // namespace frugal
