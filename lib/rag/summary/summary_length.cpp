#include "rag/summary/summary_length.h"

#include <algorithm>
#include <cmath>

#include "rag/text/words.h"

namespace frugal {
namespace {

constexpr double kSpare = 1.3;
constexpr double kMinTokensPerWord = 1, kMaxTokensPerWord = 8;

}  // namespace

int64_t count_words(std::string_view text) {
  return int64_t(split_words(text).size());
}

int64_t tokens_for_words(int64_t words, std::string_view text, int64_t text_tokens) {
  const int64_t there = std::max<int64_t>(count_words(text), 1);
  const double per_word = std::clamp(double(text_tokens) / double(there), kMinTokensPerWord, kMaxTokensPerWord);
  return static_cast<int64_t>(std::ceil(double(std::min(words, there)) * per_word * kSpare));
}

}  // namespace frugal
