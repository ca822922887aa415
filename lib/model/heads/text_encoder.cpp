#include "model/heads/text_encoder.h"

#include <algorithm>
#include <numeric>

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

View encode_pooled(Ops& ops, TextEncoder& encoder, Pooling pooling, const TokenBatch& batch) {
  if (pooling == Pooling::cls) return encoder.encode_firsts(batch);
  const View x = encoder.encode(batch);
  const View pooled = ops.allocate(Shape{int64_t(batch.spans.size()), encoder.hidden()});
  ops.pool(pooling, batch.spans, x, pooled);
  return pooled;
}

}  // namespace frugal
