#include "model/trunks/encoder_decoder.h"

#include <algorithm>

#include "base/error.h"
#include "model/heads/source_tokenizer.h"
#include "model/heads/token_ids.h"

namespace frugal {

EncoderDecoder::EncoderDecoder(const ModelSource& source, Ops& ops, int64_t vocab, int64_t hidden, const Sizes& sizes,
                               const DecoderShape& shape)
    : ops_(ops),
      vocab_(vocab),
      hidden_(hidden),
      sizes_(sizes),
      shape_(shape),
      file_(source.path()),
      tokenizer_(open_tokenizer(source)),
      settings_(read_seq2seq(source.config(), vocab)),
      identity_(source.identity()) {}

BeamCache EncoderDecoder::encode(std::span<const TokenId> ids, int64_t beams, int64_t capacity, Budget& budget,
                                 KvType type) {
  check_token_ids(ids, vocab_, file_);
  const auto tokens = static_cast<int64_t>(ids.size());
  check_source(tokens);
  const Ops::Scope scope(ops_);
  const View x = ops_.allocate(Shape{tokens, hidden_});
  embed_source(ids, x);
  return encode_rows(x, beams, capacity, budget, type);
}

void EncoderDecoder::check_source(int64_t rows) const {
  check_input_length(rows, sizes_.readable);
}

BeamCache EncoderDecoder::encode_rows(View x, int64_t beams, int64_t capacity, Budget& budget, KvType type) {
  const int64_t tokens = x.rows();
  BeamCache cache(ops_, {shape_.layers, shape_.heads, shape_.head_dim, type}, tokens, beams,
                  std::min(capacity, sizes_.target), budget);
  KvCache& source = cache.source();
  source.extend(tokens);
  run_encoder(x);
  for (int64_t layer = 0; layer < shape_.layers; ++layer) {
    const Ops::Scope projected(ops_);
    const KvCache::Fresh fresh = source.fresh_rows(layer, tokens);
    project_source(layer, x, fresh.keys, fresh.values);
    source.store(layer, fresh);
  }
  source.advance(tokens);
  return cache;
}

void EncoderDecoder::decode(std::span<const TokenId> ids, BeamCache& cache, std::span<float> logits) {
  const auto rows = static_cast<int64_t>(ids.size());
  FRUGAL_CHECK(rows > 0 && rows % cache.beams() == 0 && int64_t(logits.size()) == rows * vocab_);
  check_token_ids(ids, vocab_, file_);
  cache.extend(rows / cache.beams());
  const Ops::Scope scope(ops_);
  const View x = ops_.allocate(Shape{rows, hidden_});
  run_decoder(ids, cache, x);
  const View out = ops_.allocate(Shape{rows, vocab_});
  head().forward(ops_, x, out);
  ops_.download(out, logits);
  cache.advance(ids);
}

}  // namespace frugal
