#include "model/heads/token_ids.h"

#include <fmt/format.h>

#include "base/error.h"

namespace frugal {

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
