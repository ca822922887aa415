#include "model/arch/text_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace frugal {

void TokenBatch::append(std::span<const TokenId> sequence, size_t second) {
  const int64_t begin = int64_t(ids.size()), tokens = int64_t(sequence.size());
  spans.push_back({begin, tokens, begin, tokens});
  ids.insert(ids.end(), sequence.begin(), sequence.end());
  positions.resize(ids.size());
  std::iota(positions.begin() + begin, positions.end(), 0);
  types.resize(types.size() + std::min(second, sequence.size()), 0);
  types.resize(ids.size(), 1);
}

void check_token_ids(std::span<const TokenId> ids, int64_t vocab, int64_t max_tokens,
                     const std::filesystem::path& file) {
  for (const TokenId id : ids)
    if (id < 0 || id >= vocab)
      throw Error(Code::corrupt_file,
                  fmt::format("'{}': token id {} is outside the model's vocabulary of {}", file.native(), id, vocab));
  if (ids.empty() || int64_t(ids.size()) > max_tokens)
    throw Error(Code::bad_input,
                fmt::format("the input has {} tokens, the model takes 1 to {}", ids.size(), max_tokens));
}

}  // namespace frugal
