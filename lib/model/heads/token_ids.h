// Checks of the token ids that a model is given.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "model/tokenize/tokenizer.h"

namespace frugal {

/// Throws Error(corrupt_file) for an id outside the vocabulary of the model in `file`.
void check_token_ids(std::span<const TokenId> ids, int64_t vocab, const std::filesystem::path& file);
/// Throws Error(bad_input) if there are no tokens, or more than `max`.
void check_input_length(int64_t tokens, int64_t max);

}  // namespace frugal
