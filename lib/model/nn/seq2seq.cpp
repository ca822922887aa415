#include "model/nn/seq2seq.h"

#include <algorithm>

namespace frugal {

std::vector<TokenId> Seq2Seq::source_ids(std::string_view text) const {
  const std::span<const TokenId> before = tokenizer().prefix(), after = tokenizer().suffix();
  const int64_t room = std::max<int64_t>(max_source_tokens() - int64_t(before.size() + after.size()), 1);
  const std::vector<TokenId> body = tokenizer().encode(text, false);
  std::vector<TokenId> ids(before.begin(), before.end());
  ids.insert(ids.end(), body.begin(), body.begin() + std::min(room, int64_t(body.size())));
  ids.insert(ids.end(), after.begin(), after.end());
  return ids;
}

}  // namespace frugal
