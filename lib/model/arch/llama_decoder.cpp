#include "model/arch/llama_decoder.h"

#include <array>
#include <memory>
#include <numeric>
#include <utility>

#include "model/arch/causal_decoder.h"
#include "model/nn/chat_config.h"
#include "model/nn/kv_cache.h"
#include "model/nn/tensor_table.h"

namespace frugal {
namespace {

// Keys and values in a cache: a query sees the tokens that were processed before, and those of its pass up to itself.
class CachedKv final : public PassKv {
 public:
  explicit CachedKv(KvCache& cache) : cache_(cache) {}
  KvCache::Fresh fresh_rows(int64_t layer, int64_t tokens) override { return cache_.fresh_rows(layer, tokens); }
  void attend(int64_t layer, const AttentionSpec& spec, const KvCache::Fresh& fresh, View q, View out) override {
    cache_.store(layer, fresh);
    cache_.attend(layer, spec, std::array{AttentionSpan{0, q.rows(), 0, cache_.length() + q.rows()}}, q, out);
  }

 private:
  KvCache& cache_;
};

class LlamaDecoder final : public CausalDecoder {
 public:
  LlamaDecoder(const ModelSource& source, Ops& ops) : LlamaDecoder(source, ops, LlamaTrunk(source, ops)) {}

 protected:
  void embed_tokens(std::span<const TokenId> ids, View x) const override {
    if (tied_)
      ops_.embed(head_.weight(), ids, x);
    else
      embed(ops_, words_, ids, x, false);
  }

  void run_layers(KvCache& cache, View x) override {
    std::vector<int32_t> positions(static_cast<size_t>(x.rows()));
    std::iota(positions.begin(), positions.end(), static_cast<int32_t>(cache.length()));
    CachedKv kv(cache);
    trunk_.run(positions, cache.length() + x.rows(), kv, x);
  }

  void final_norm(View x, View out) const override { trunk_.norm(x, out); }
  const Linear& head() const override { return head_; }

 private:
  LlamaDecoder(const ModelSource& source, Ops& ops, LlamaTrunk trunk)
      : CausalDecoder(source, ops, sizes_of(trunk.config())),
        trunk_(std::move(trunk)),
        tied_(source.config().require_text("llama.tied") == "true") {
    const LlamaConfig& config = trunk_.config();
    const WeightLoader load(source, ops);
    head_ = load.linear(tied_ ? "embeddings" : "head", config.vocab, config.hidden, ActivationScales::grouped);
    if (!tied_) words_ = source.embedding("embeddings.weight", config.vocab, config.hidden, ops);
  }

  static Sizes sizes_of(const LlamaConfig& c) {
    return {c.vocab, c.hidden, c.context, c.layers, c.kv_heads, c.head_dim};
  }

  LlamaTrunk trunk_;
  bool tied_;  // the output layer uses the embeddings as its weight
  Linear head_;
  EmbeddingTable words_;
};

}  // namespace

ModelPlan plan_llama_decoder(const Checkpoint& checkpoint, const LlamaVariant& variant) {
  const bool gguf = checkpoint.format() == "gguf";
  const bool tied = !checkpoint.find(gguf ? "output.weight" : "lm_head.weight");
  ModelPlan plan;
  TensorTable trunk({"model."}), head;
  const LlamaConfig config =
      plan_llama_trunk(checkpoint, variant, tied ? TensorRole::tied : TensorRole::embedding, trunk, plan.config);
  if (!tied) head.linear({"head", "lm_head", "output"}, config.vocab, config.hidden, TensorTable::Bias::optional);
  plan.config["llama.tied"] = tied ? "true" : "false";
  plan_chat(checkpoint, plan.config);
  plan.tensors = std::move(trunk).take();
  for (TensorSpec& spec : std::move(head).take()) plan.tensors.push_back(std::move(spec));
  return plan;
}

std::unique_ptr<Model> open_llama_decoder(const ModelSource& source, Ops& ops) {
  return std::make_unique<LlamaDecoder>(source, ops);
}

}  // namespace frugal
