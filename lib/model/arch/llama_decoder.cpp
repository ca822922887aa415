#include "model/arch/llama_decoder.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "memory/budget.h"
#include "model/arch/source_tokenizer.h"
#include "model/arch/token_ids.h"
#include "model/nn/chat_config.h"
#include "model/nn/decoder.h"
#include "model/nn/kv_cache.h"
#include "model/nn/tensor_table.h"

namespace frugal {
namespace {

// Tokens of one forward pass of a long prompt. Bounds the working memory: 512 · 2 · 1,536 floats of SmolLM2's MLP are
// 6 MiB.
constexpr int64_t kTokensPerForward = 512;

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

class LlamaDecoder final : public Decoder {
 public:
  LlamaDecoder(const ModelSource& source, Ops& ops)
      : ops_(ops),
        trunk_(source, ops),
        config_(trunk_.config()),
        file_(source.path()),
        tokenizer_(open_tokenizer(source)),
        tied_(source.config().require_text("llama.tied") == "true"),
        chat_(source.config()),
        identity_(source.identity()) {
    const WeightLoader load(source, ops);
    head_ = load.linear(tied_ ? "embeddings" : "head", config_.vocab, config_.hidden, ActivationScales::grouped);
    if (!tied_) words_ = source.embedding("embeddings.weight", config_.vocab, config_.hidden, ops);
  }

  int64_t vocab_size() const override { return config_.vocab; }
  int64_t context_tokens() const override { return config_.context; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  ChatFamily chat_family() const override { return chat_.family(); }
  std::string_view default_system() const override { return chat_.default_system(); }
  std::string identity() const override { return identity_; }

  KvCache make_cache(int64_t capacity_tokens, Budget& budget, KvType type) const override {
    return KvCache(ops_, {config_.layers, config_.kv_heads, config_.head_dim, type},
                   std::min(capacity_tokens, config_.context), budget);
  }

  void forward(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) override {
    FRUGAL_CHECK(logits.empty() || int64_t(logits.size()) == config_.vocab);
    run(ids, cache, [&](View x, bool last) {
      if (last && !logits.empty()) write_logits(x.slice_rows(x.rows() - 1, 1), logits);
    });
  }

  void forward_all(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) override {
    FRUGAL_CHECK(int64_t(logits.size()) == config_.vocab * int64_t(ids.size()));
    run(ids, cache, [&](View x, bool) {
      const size_t count = static_cast<size_t>(x.rows() * config_.vocab);
      write_logits(x, logits.first(count));
      logits = logits.subspan(count);
    });
  }

 private:
  // Processes `ids` in pieces and calls use(hidden states of the piece [tokens, hidden], is_last_piece) for each.
  template <typename Use>
  void run(std::span<const TokenId> ids, KvCache& cache, Use&& use) {
    FRUGAL_CHECK(!ids.empty());
    check_token_ids(ids, config_.vocab, file_);
    cache.extend(int64_t(ids.size()));
    while (!ids.empty()) {
      const size_t tokens = std::min<size_t>(ids.size(), kTokensPerForward);
      const Ops::Scope scope(ops_);
      const View x = run_piece(ids.first(tokens), cache);
      ids = ids.subspan(tokens);
      use(x, ids.empty());
    }
  }

  View run_piece(std::span<const TokenId> ids, KvCache& cache) {
    std::vector<int32_t> positions(ids.size());
    std::iota(positions.begin(), positions.end(), static_cast<int32_t>(cache.length()));
    const View x = ops_.allocate(Shape{int64_t(ids.size()), config_.hidden});
    if (tied_)
      ops_.embed(head_.weight(), ids, x);
    else
      embed(ops_, words_, ids, x, false);
    CachedKv kv(cache);
    trunk_.run(positions, cache.length() + int64_t(ids.size()), kv, x);
    cache.advance(int64_t(ids.size()));
    return x;
  }

  void write_logits(View x, std::span<float> logits) {
    const Ops::Scope scope(ops_);
    const View h = ops_.allocate(x.shape), out = ops_.allocate(Shape{x.rows(), config_.vocab});
    trunk_.norm(x, h);
    head_.forward(ops_, h, out);
    ops_.download(out, logits);
  }

  Ops& ops_;
  LlamaTrunk trunk_;
  LlamaConfig config_;
  std::filesystem::path file_;  // for errors
  std::unique_ptr<Tokenizer> tokenizer_;
  bool tied_;  // the output layer uses the embeddings as its weight
  ChatConfig chat_;
  std::string identity_;
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
