#include "model/heads/token_ids.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace frugal {

std::vector<TokenId> templated_ids(const Tokenizer& tokenizer, std::string_view text, int64_t max) {
  const std::span<const TokenId> prefix = tokenizer.prefix(), suffix = tokenizer.suffix();
  const std::vector<TokenId> body = tokenizer.encode(text, false);
  const int64_t room = std::max<int64_t>(0, max - int64_t(prefix.size() + suffix.size()));
  std::vector<TokenId> ids(prefix.begin(), prefix.end());
  ids.insert(ids.end(), body.begin(), body.begin() + std::min<int64_t>(room, int64_t(body.size())));
  ids.insert(ids.end(), suffix.begin(), suffix.end());
  return ids;
}

void check_token_ids(std::span<const TokenId> ids, int64_t vocab, const std::filesystem::path& file) {
  for (const TokenId id : ids)
    if (id < 0 || id >= vocab)
      throw Error(Code::corrupt_file,
                  fmt::format("'{}': token id {} is outside the model's vocabulary of {}", file.native(), id, vocab));
}

void check_input_length(int64_t tokens, int64_t max) {
  if (tokens == 0 || tokens > max)
    throw Error(Code::bad_input, fmt::format("the input has {} tokens, the model takes 1 to {}", tokens, max));
}

}  // namespace frugal
