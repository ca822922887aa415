#include "model/trunks/causal_decoder.h"

#include <algorithm>

#include "base/error.h"
#include "model/heads/source_tokenizer.h"
#include "model/heads/token_ids.h"

namespace frugal {

CausalDecoder::CausalDecoder(const ModelSource& source, Ops& ops, const Sizes& sizes)
    : ops_(ops),
      sizes_(sizes),
      file_(source.path()),
      tokenizer_(open_tokenizer(source)),
      chat_(source.config()),
      identity_(source.identity()) {}

KvCache CausalDecoder::make_cache(int64_t capacity_tokens, Budget& budget, KvType type) const {
  return KvCache(ops_, {sizes_.layers, sizes_.kv_heads, sizes_.head_dim, type},
                 std::min(capacity_tokens, sizes_.context), budget);
}

void CausalDecoder::forward(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) {
  FRUGAL_CHECK(logits.empty() || int64_t(logits.size()) == sizes_.vocab);
  run(ids, cache, [&](View x, bool last) {
    if (last && !logits.empty()) write_logits(x.slice_rows(x.rows() - 1, 1), logits);
  });
}

void CausalDecoder::forward_all(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) {
  FRUGAL_CHECK(int64_t(logits.size()) == sizes_.vocab * int64_t(ids.size()));
  run(ids, cache, [&](View x, bool) {
    const size_t count = static_cast<size_t>(x.rows() * sizes_.vocab);
    write_logits(x, logits.first(count));
    logits = logits.subspan(count);
  });
}

// Processes `ids` in pieces and calls use(hidden states of the piece [tokens, hidden], is_last_piece) for each.
template <typename Use>
void CausalDecoder::run(std::span<const TokenId> ids, KvCache& cache, Use&& use) {
  FRUGAL_CHECK(!ids.empty());
  check_token_ids(ids, sizes_.vocab, file_);
  cache.extend(int64_t(ids.size()));
  while (!ids.empty()) {
    const auto piece = ids.first(std::min<size_t>(ids.size(), kTokensPerForward));
    ids = ids.subspan(piece.size());
    const Ops::Scope scope(ops_);
    const View x = ops_.allocate(Shape{int64_t(piece.size()), sizes_.hidden});
    embed_tokens(piece, x);
    add_positions(cache.length(), x);
    run_layers(cache, x);
    cache.advance(x.rows());
    use(x, ids.empty());
  }
}

void CausalDecoder::read_rows(View x, KvCache& cache) {
  cache.extend(x.rows());
  for (int64_t first = 0; first < x.rows(); first += kTokensPerForward) {
    const View piece = x.slice_rows(first, std::min(kTokensPerForward, x.rows() - first));
    add_positions(cache.length(), piece);
    run_layers(cache, piece);
    cache.advance(piece.rows());
  }
}

void CausalDecoder::write_logits(View x, std::span<float> logits) const {
  const Ops::Scope scope(ops_);
  const View h = ops_.allocate(x.shape), out = ops_.allocate(Shape{x.rows(), sizes_.vocab});
  final_norm(x, h);
  head().forward(ops_, h, out);
  adjust_logits(out);
  ops_.download(out, logits);
}

}  // namespace frugal
