#include "model/arch/llama_decoder.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "memory/budget.h"
#include "model/arch/source_tokenizer.h"
#include "model/arch/token_ids.h"
#include "model/nn/architecture.h"
#include "model/nn/blocks.h"
#include "model/nn/chat_config.h"
#include "model/nn/config_reader.h"
#include "model/nn/decoder.h"
#include "model/nn/hyper_field.h"
#include "model/nn/kv_cache.h"
#include "model/nn/model_source.h"
#include "model/nn/rope.h"
#include "model/nn/tensor_table.h"

namespace frugal {
namespace {

// Tokens of one forward pass of a long prompt. Bounds the working memory: 512 · 2 · 1,536 floats of SmolLM2's MLP are
// 6 MiB.
constexpr int64_t kTokensPerForward = 512;

struct LlamaConfig {
  int64_t layers, hidden, heads, kv_heads, head_dim, intermediate, context, vocab;
  double epsilon;
  std::string activation;

  int64_t q_features() const { return heads * head_dim; }
  int64_t kv_features() const { return kv_heads * head_dim; }
};

using C = LlamaConfig;
constexpr HyperField<C> kFields[] = {
    {"layers", {"num_hidden_layers", "block_count"}, &C::layers, {1, 1024}},
    {"hidden", {"hidden_size", "embedding_length"}, &C::hidden, {1, 1 << 20}},
    {"heads", {"num_attention_heads", "attention.head_count"}, &C::heads, {1, 1024}},
    {"kv_heads",
     {"num_key_value_heads", "attention.head_count_kv"},
     &C::kv_heads,
     {1, 1024},
     +[](const C& c) { return c.heads; }},
    {"head_dim",
     {"head_dim", "attention.key_length"},
     &C::head_dim,
     {2, 1024},
     +[](const C& c) { return c.hidden / c.heads; }},
    {"intermediate", {"intermediate_size", "feed_forward_length"}, &C::intermediate, {1, 1 << 22}},
    {"context", {"max_position_embeddings", "context_length"}, &C::context, {1, 1 << 24}},
    {"vocab", {}, &C::vocab, {1, 1 << 24}},
    {"epsilon", {"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, &C::epsilon, {0, 1}, 1e-6},
    {"activation", {"hidden_act", "hidden_act"}, &C::activation, {}, "silu"},
};
constexpr HyperTable<C> kHyper("llama", kFields);

LlamaConfig read_config(const ModelConfig& pack) {
  LlamaConfig config = kHyper.read(pack);
  if (config.heads % config.kv_heads != 0) pack.fail("llama.heads is not a multiple of llama.kv_heads");
  return config;
}

// State that the layers of one forward pass share.
struct Step {
  KvCache& cache;
  std::span<const int32_t> positions;
  RopeSpec rope;
};

// Pre-norm decoder block. x: [tokens, hidden], updated in place.
class LlamaLayer {
 public:
  LlamaLayer(const WeightLoader& load, const LlamaConfig& c, int64_t index)
      : index_(index), config_(c), activation_(parse_activation(c.activation)) {
    const std::string at = fmt::format("layers.{}.", index);
    constexpr ActivationScales kScales = ActivationScales::grouped;
    norm1_ = load.norm(at + "norm1", NormKind::rms, c.hidden, c.epsilon);
    qkv_ = LinearGroup({load.linear(at + "q", c.q_features(), c.hidden, kScales),
                        load.linear(at + "k", c.kv_features(), c.hidden, kScales),
                        load.linear(at + "v", c.kv_features(), c.hidden, kScales)});
    if (load.has(at + "q_norm")) {
      q_norm_ = load.norm(at + "q_norm", NormKind::rms, c.head_dim, c.epsilon);
      k_norm_ = load.norm(at + "k_norm", NormKind::rms, c.head_dim, c.epsilon);
    }
    out_ = load.linear(at + "out", c.hidden, c.q_features(), kScales);
    norm2_ = load.norm(at + "norm2", NormKind::rms, c.hidden, c.epsilon);
    gate_up_ = LinearGroup({load.linear(at + "gate", c.intermediate, c.hidden, kScales),
                            load.linear(at + "up", c.intermediate, c.hidden, kScales)});
    down_ = load.linear(at + "down", c.hidden, c.intermediate, kScales);
    attention_ = {c.heads, c.kv_heads, c.head_dim, 1.0f / std::sqrt(static_cast<float>(c.head_dim)), true};
  }

  void forward(Ops& ops, const Step& step, View x) const {
    attend(ops, step, x);
    feed_forward(ops, x);
  }

 private:
  // Inner scopes end after the last use of their tensors, so the arena's peak is close to the peak of live tensors.
  void attend(Ops& ops, const Step& step, View x) const {
    const Ops::Scope scope(ops);
    const int64_t tokens = x.rows(), seen = step.cache.length();
    const View q = ops.allocate(Shape{tokens, config_.q_features()});
    const KvCache::Fresh fresh = step.cache.fresh_rows(index_, tokens);
    {
      const Ops::Scope normed(ops);
      const View h = ops.allocate(x.shape);
      ops.norm(norm1_, x, h);
      qkv_.forward(ops, h, std::array{q, fresh.keys, fresh.values});
    }
    normalise_heads(ops, q_norm_, q);
    normalise_heads(ops, k_norm_, fresh.keys);
    ops.rope(step.rope, step.positions, q, config_.heads, config_.head_dim);
    ops.rope(step.rope, step.positions, fresh.keys, config_.kv_heads, config_.head_dim);
    step.cache.store(index_, fresh);
    const View context = ops.allocate(q.shape);
    step.cache.attend(index_, attention_, std::array{AttentionSpan{0, tokens, 0, seen + tokens}}, q, context);
    out_.forward(ops, context, x, x);
  }

  // x: [tokens, heads · head_dim], contiguous; each head is a row of the norm.
  void normalise_heads(Ops& ops, const NormSpec& norm, View x) const {
    if (norm.gamma.empty()) return;
    const View heads(x.data, x.dtype, Shape{x.shape.elements() / config_.head_dim, config_.head_dim});
    ops.norm(norm, heads, heads);
  }

  void feed_forward(Ops& ops, View x) const {
    const Ops::Scope scope(ops);
    const View gate = ops.allocate(Shape{x.rows(), config_.intermediate});
    {
      const Ops::Scope gating(ops);
      const View up = ops.allocate(gate.shape), h = ops.allocate(x.shape);
      ops.norm(norm2_, x, h);
      gate_up_.forward(ops, h, std::array{gate, up});
      ops.activate_gated(activation_, gate, up, gate);
    }
    down_.forward(ops, gate, x, x);
  }

  int64_t index_;
  LlamaConfig config_;
  Activation activation_;
  NormSpec norm1_, norm2_;
  NormSpec q_norm_, k_norm_;  // of each head, where the model has them
  LinearGroup qkv_, gate_up_;
  Linear out_, down_;
  AttentionSpec attention_;
};

class LlamaDecoder final : public Decoder {
 public:
  LlamaDecoder(const ModelSource& source, Ops& ops)
      : ops_(ops),
        config_(read_config(source.config())),
        file_(source.path()),
        tokenizer_(open_tokenizer(source)),
        tied_(source.config().require_text("llama.tied") == "true"),
        rope_(read_rope(source, "llama", config_.head_dim)),
        chat_(source.config()),
        identity_(source.identity()) {
    const WeightLoader load(source, ops);
    head_ = load.linear(tied_ ? "embeddings" : "head", config_.vocab, config_.hidden, ActivationScales::grouped);
    if (!tied_) words_ = source.embedding("embeddings.weight", config_.vocab, config_.hidden, ops);
    norm_ = load.norm("norm", NormKind::rms, config_.hidden, config_.epsilon);
    for (int64_t i = 0; i < config_.layers; ++i) layers_.emplace_back(load, config_, i);
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
    const Step step{cache, positions, rope_.spec(cache.length() + int64_t(ids.size()))};
    const View x = ops_.allocate(Shape{int64_t(ids.size()), config_.hidden});
    if (tied_)
      ops_.embed(head_.weight(), ids, x);
    else
      embed(ops_, words_, ids, x, false);
    for (const LlamaLayer& layer : layers_) layer.forward(ops_, step, x);
    cache.advance(int64_t(ids.size()));
    return x;
  }

  void write_logits(View x, std::span<float> logits) {
    const Ops::Scope scope(ops_);
    const View h = ops_.allocate(x.shape), out = ops_.allocate(Shape{x.rows(), config_.vocab});
    ops_.norm(norm_, x, h);
    head_.forward(ops_, h, out);
    ops_.download(out, logits);
  }

  Ops& ops_;
  LlamaConfig config_;
  std::filesystem::path file_;  // for errors
  std::unique_ptr<Tokenizer> tokenizer_;
  bool tied_;  // the output layer uses the embeddings as its weight
  RopeTable rope_;
  ChatConfig chat_;
  std::string identity_;
  Linear head_;
  EmbeddingTable words_;
  NormSpec norm_;
  std::vector<LlamaLayer> layers_;
};

// --- plan of a checkpoint ------------------------------------------------------------------------------------------

// permuted: q and k are ordered for interleaved pairs. Packs hold Hugging Face's order, in which the two elements of a
// pair are half a head apart.
TensorTable list_tensors(const LlamaConfig& c, bool tied, bool permuted, bool head_norms) {
  constexpr auto kBias = TensorTable::Bias::optional;
  TensorTable table;
  table.embedding({"embeddings.weight", "model.embed_tokens", "token_embd"}, c.vocab, c.hidden,
                  tied ? TensorRole::tied : TensorRole::embedding);
  table.optional_vector({"rope.divisors", "", "rope_freqs"}, c.head_dim / 2);
  for (int64_t i = 0; i < c.layers; ++i) {
    table.enter({fmt::format("layers.{}.", i), fmt::format("model.layers.{}.", i), fmt::format("blk.{}.", i)});
    table.norm({"norm1", "input_layernorm", "attn_norm"}, c.hidden);
    table.linear({"q", "self_attn.q_proj", "attn_q"}, c.q_features(), c.hidden, kBias, permuted ? c.heads : 0);
    table.linear({"k", "self_attn.k_proj", "attn_k"}, c.kv_features(), c.hidden, kBias, permuted ? c.kv_heads : 0);
    table.linear({"v", "self_attn.v_proj", "attn_v"}, c.kv_features(), c.hidden, kBias);
    if (head_norms) {
      table.norm({"q_norm", "self_attn.q_norm", "attn_q_norm"}, c.head_dim);
      table.norm({"k_norm", "self_attn.k_norm", "attn_k_norm"}, c.head_dim);
    }
    table.linear({"out", "self_attn.o_proj", "attn_output"}, c.hidden, c.q_features(), kBias);
    table.norm({"norm2", "post_attention_layernorm", "ffn_norm"}, c.hidden);
    table.linear({"gate", "mlp.gate_proj", "ffn_gate"}, c.intermediate, c.hidden, kBias);
    table.linear({"up", "mlp.up_proj", "ffn_up"}, c.intermediate, c.hidden, kBias);
    table.linear({"down", "mlp.down_proj", "ffn_down"}, c.hidden, c.intermediate, kBias);
  }
  table.enter();
  table.norm({"norm", "model.norm", "output_norm"}, c.hidden);
  if (!tied) table.linear({"head", "lm_head", "output"}, c.vocab, c.hidden, kBias);
  return table;
}

}  // namespace

ModelPlan plan_llama_decoder(const Checkpoint& checkpoint, const LlamaVariant& variant) {
  const ConfigReader reader(checkpoint);
  LlamaConfig config = kHyper.read(reader);
  if (config.heads % config.kv_heads != 0)
    throw Error(Code::bad_input,
                fmt::format("{} heads are not a multiple of {} key-value heads", config.heads, config.kv_heads));
  if (config.head_dim % 2 != 0)
    throw Error(Code::bad_input, fmt::format("head dimension {} is odd; rotary positions need pairs", config.head_dim));
  parse_activation(config.activation);
  config.vocab = TensorTable().rows_in(checkpoint, {"", "model.embed_tokens", "token_embd"});
  const bool tied = !checkpoint.find(reader.gguf() ? "output.weight" : "lm_head.weight");

  ModelPlan plan;
  kHyper.write(config, plan.config);
  plan.config["llama.tied"] = tied ? "true" : "false";
  plan_rope(checkpoint, reader, "llama", plan.config);
  plan_chat(checkpoint, plan.config);
  plan.tensors = list_tensors(config, tied, reader.gguf() && variant.gguf_permutes, variant.head_norms).take();
  return plan;
}

std::unique_ptr<Model> open_llama_decoder(const ModelSource& source, Ops& ops) {
  return std::make_unique<LlamaDecoder>(source, ops);
}

}  // namespace frugal
