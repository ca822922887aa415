#include "model/heads/reader_pairs.h"

#include <algorithm>
#include <span>
#include <vector>

namespace frugal {

ReaderPair make_reader_pair(const Tokenizer& tokenizer, const PairLimits& limits, std::string_view question,
                            std::string_view passage) {
  std::vector<TokenId> asked = tokenizer.encode(question, false);
  asked.resize(std::min(asked.size(), static_cast<size_t>(limits.question)));
  ReaderPair pair;
  const auto put = [&](std::span<const TokenId> ids) { pair.ids.insert(pair.ids.end(), ids.begin(), ids.end()); };
  put(tokenizer.prefix());
  put(asked);
  put(tokenizer.separator());
  pair.passage = pair.ids.size();
  pair.pieces = tokenizer.encode_pieces(passage, false);
  const size_t room = static_cast<size_t>(limits.pair) - pair.ids.size() - tokenizer.suffix().size();
  pair.pieces.resize(std::min(pair.pieces.size(), room));
  for (const Tokenizer::Piece& piece : pair.pieces) pair.ids.push_back(piece.id);
  put(tokenizer.suffix());
  return pair;
}

}  // namespace frugal
