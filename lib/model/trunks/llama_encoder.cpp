#include "model/trunks/llama_encoder.h"

#include <algorithm>

#include "model/heads/token_ids.h"
#include "model/nn/blocks.h"

namespace frugal {
namespace {

// Keys and values in the working memory of a layer: a query sees the tokens of its own sequence, up to itself.
class BatchKv final : public PassKv {
 public:
  BatchKv(Ops& ops, int64_t features, std::span<const AttentionSpan> spans)
      : ops_(ops), features_(features), spans_(spans) {}
  KvCache::Fresh fresh_rows(int64_t, int64_t tokens) override {
    const Shape shape{tokens, features_};
    return {ops_.allocate(shape), ops_.allocate(shape)};
  }
  void attend(int64_t, const AttentionSpec& spec, const KvCache::Fresh& fresh, View q, View out) override {
    ops_.attention(spec, spans_, q, fresh.keys, fresh.values, out);
  }

 private:
  Ops& ops_;
  int64_t features_;
  std::span<const AttentionSpan> spans_;
};

}  // namespace

LlamaEncoder::LlamaEncoder(const ModelSource& source, Ops& ops) : ops_(ops), trunk_(source, ops), file_(source.path()) {
  words_ = source.embedding("embeddings.weight", vocab(), hidden(), ops);
}

void LlamaEncoder::check_ids(std::span<const TokenId> ids) const {
  check_token_ids(ids, vocab(), file_);
  check_input_length(int64_t(ids.size()), max_tokens());
}

View LlamaEncoder::encode(const TokenBatch& batch) {
  const View x = ops_.allocate(Shape{int64_t(batch.ids.size()), hidden()});
  embed(ops_, words_, batch.ids, x, false);
  int64_t longest = 0;
  for (const AttentionSpan& span : batch.spans) longest = std::max(longest, span.q_tokens);
  BatchKv kv(ops_, trunk_.config().kv_features(), batch.spans);
  trunk_.run(batch.positions, longest, kv, x);
  trunk_.norm(x, x);
  return x;
}

View LlamaEncoder::encode_firsts(const TokenBatch& batch) {
  const View firsts = ops_.allocate(Shape{int64_t(batch.spans.size()), hidden()});
  const Ops::Scope scope(ops_);
  ops_.pool(Pooling::cls, batch.spans, encode(batch), firsts);
  return firsts;
}

TensorTable llama_encoder_names() {
  return TensorTable({"", "model."});
}

LlamaConfig plan_llama_encoder(const Checkpoint& checkpoint, const LlamaVariant& variant, TensorTable& table,
                               std::map<std::string, std::string>& keys) {
  return plan_llama_trunk(checkpoint, variant, TensorRole::embedding, table, keys);
}

}  // namespace frugal
