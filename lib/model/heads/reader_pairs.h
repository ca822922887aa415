// Pairs of a question and a passage as cross-encoders see them, and their batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/heads/text_encoder.h"
#include "model/nn/reader.h"

namespace frugal {

/// The limits of a pair, in tokens.
struct PairLimits {
  int64_t question = 0;
  int64_t pair = 0;  // with the tokens of the template
};

/// The question, and as much of the passage as fits behind it, with the tokens of the tokenizer's template.
ReaderPair make_reader_pair(const Tokenizer& tokenizer, const PairLimits& limits, std::string_view question,
                            std::string_view passage);

/// Calls run(first, last) for runs of items that together have about kTokensPerForward tokens.
template <class Tokens, class Run>
void in_pair_batches(size_t count, const Tokens& tokens, const Run& run) {
  for (size_t first = 0; first < count;) {
    size_t last = first, sum = 0;
    do sum += tokens(last++);
    while (last < count && sum + tokens(last) <= static_cast<size_t>(kTokensPerForward));
    run(first, last);
    first = last;
  }
}

}  // namespace frugal
