// BERT (Devlin et al. 2018): a post-norm bidirectional encoder, here as a sentence embedder (Reimers & Gurevych 2019).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "model/arch/source_tokenizer.h"
#include "model/nn/architecture.h"
#include "model/nn/blocks.h"
#include "model/nn/config_reader.h"
#include "model/nn/embedder.h"
#include "model/nn/hyper_field.h"
#include "model/nn/model_source.h"
#include "model/nn/pooling_config.h"
#include "model/nn/tensor_table.h"

namespace frugal {
namespace {

// Tokens of one forward pass: enough rows to keep the kernels busy, few enough that the widest activation stays near
// the caches (1,024 · 1,536 floats are 6 MiB).
constexpr int64_t kTokensPerForward = 1024;

struct BertConfig {
  int64_t layers, hidden, heads, intermediate, positions, vocab, types;
  double epsilon;
  std::string activation;
};

using C = BertConfig;
constexpr HyperField<C> kFields[] = {
    {"layers", {"num_hidden_layers", "block_count"}, &C::layers, {1, 1024}},
    {"hidden", {"hidden_size", "embedding_length"}, &C::hidden, {1, 1 << 20}},
    {"heads", {"num_attention_heads", "attention.head_count"}, &C::heads, {1, 1024}},
    {"intermediate", {"intermediate_size", "feed_forward_length"}, &C::intermediate, {1, 1 << 22}},
    {"positions", {"max_position_embeddings", "context_length"}, &C::positions, {1, 1 << 20}},
    {"vocab", {}, &C::vocab, {1, 1 << 24}},
    {"types", {}, &C::types, {1, 1024}},
    {"epsilon", {"layer_norm_eps", "attention.layer_norm_epsilon"}, &C::epsilon, {0, 1}, 1e-12},
    {"activation", {"hidden_act", "hidden_act"}, &C::activation, {}, "gelu"},
};
constexpr HyperTable<C> kHyper("bert", kFields);

// Post-norm encoder block. x: [tokens, hidden], updated in place.
class BertLayer {
 public:
  BertLayer(const WeightLoader& load, const BertConfig& c, int64_t index) {
    const std::string at = fmt::format("layers.{}.", index);
    constexpr ActivationScales kScales = ActivationScales::per_token;
    qkv_ = LinearGroup({load.linear(at + "q", c.hidden, c.hidden, kScales),
                        load.linear(at + "k", c.hidden, c.hidden, kScales),
                        load.linear(at + "v", c.hidden, c.hidden, kScales)});
    out_ = load.linear(at + "out", c.hidden, c.hidden, kScales);
    norm1_ = load.norm(at + "norm1", NormKind::layer, c.hidden, c.epsilon);
    up_ = load.linear(at + "up", c.intermediate, c.hidden, kScales, parse_activation(c.activation));
    down_ = load.linear(at + "down", c.hidden, c.intermediate, kScales);
    norm2_ = load.norm(at + "norm2", NormKind::layer, c.hidden, c.epsilon);
    attention_.num_heads = attention_.num_kv_heads = c.heads;
    attention_.head_dim = c.hidden / c.heads;
    attention_.scale = 1.0f / std::sqrt(static_cast<float>(attention_.head_dim));
  }

  void forward(Ops& ops, std::span<const AttentionSpan> spans, View x) const {
    attend(ops, spans, x);
    ops.norm(norm1_, x, x);
    feed_forward(ops, x);
    ops.norm(norm2_, x, x);
  }

 private:
  // Each half releases its working memory before the other begins, so the arena's peak is that of the larger one.
  void attend(Ops& ops, std::span<const AttentionSpan> spans, View x) const {
    const Ops::Scope scope(ops);
    const View q = ops.allocate(x.shape), k = ops.allocate(x.shape), v = ops.allocate(x.shape);
    qkv_.forward(ops, x, std::array{q, k, v});
    const View context = ops.allocate(x.shape);
    ops.attention(attention_, spans, q, k, v, context);
    out_.forward(ops, context, x, x);
  }

  void feed_forward(Ops& ops, View x) const {
    const Ops::Scope scope(ops);
    const View h = ops.allocate(Shape{x.rows(), up_.outputs()});
    up_.forward(ops, x, h);
    down_.forward(ops, h, x, x);
  }

  LinearGroup qkv_;
  Linear out_, up_, down_;
  NormSpec norm1_, norm2_;
  AttentionSpec attention_;
};

class BertEmbedder final : public Embedder {
 public:
  BertEmbedder(const ModelSource& source, Ops& ops)
      : ops_(ops),
        config_(kHyper.read(source.config())),
        file_(source.path()),
        tokenizer_(open_tokenizer(source)),
        pooling_(read_pooling(source.config(), config_.positions)),
        fingerprint_(fingerprint_of(pooling_, source.identity())) {
    if (config_.hidden % config_.heads != 0) source.config().fail("bert.hidden is not a multiple of bert.heads");
    words_ = source.embedding("embeddings.word", config_.vocab, config_.hidden, ops);
    positions_ = source.embedding("embeddings.position", config_.positions, config_.hidden, ops);
    types_ = source.embedding("embeddings.type", config_.types, config_.hidden, ops);
    const WeightLoader load(source, ops);
    norm_ = load.norm("embeddings.norm", NormKind::layer, config_.hidden, config_.epsilon);
    for (int64_t i = 0; i < config_.layers; ++i) layers_.emplace_back(load, config_, i);
  }

  int64_t dimension() const override { return config_.hidden; }
  int64_t max_tokens() const override { return pooling_.max_tokens; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  std::string fingerprint() const override { return fingerprint_; }

  std::string_view prompt(TextRole role) const override {
    return role == TextRole::query ? pooling_.query_prompt : pooling_.passage_prompt;
  }

  void embed(std::span<const std::string_view> texts, TextRole role, std::span<float> out) override {
    FRUGAL_CHECK(int64_t(out.size()) == int64_t(texts.size()) * dimension());
    Batch batch;
    size_t first = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      append(batch, token_ids(texts[i], prompt(role)));
      const bool last = i + 1 == texts.size();
      if (!last && int64_t(batch.ids.size()) + pooling_.max_tokens <= kTokensPerForward) continue;
      embed_batch(batch, out.subspan(first * static_cast<size_t>(dimension()),
                                     batch.spans.size() * static_cast<size_t>(dimension())));
      first = i + 1;
      batch = {};
    }
  }

  std::vector<float> hidden_states(std::span<const TokenId> ids) override {
    check_ids(ids);
    Batch batch;
    append(batch, {ids.begin(), ids.end()});
    const Ops::Scope scope(ops_);
    const View x = forward(batch);
    std::vector<float> states(static_cast<size_t>(x.shape.elements()));
    ops_.download(x, states);
    return states;
  }

 private:
  struct Batch {
    std::vector<int32_t> ids, positions, types;
    std::vector<AttentionSpan> spans;
  };

  static std::string fingerprint_of(const PoolingConfig& pooling, std::string_view identity) {
    const bool prompts = !pooling.query_prompt.empty() || !pooling.passage_prompt.empty();
    return fmt::format("bert/{}/{}/{}{}", pooling.name, pooling.max_tokens,
                       prompts ? fmt::format("{}|{}/", pooling.query_prompt, pooling.passage_prompt) : "", identity);
  }

  // [CLS] prompt text [SEP], the text truncated to fit.
  std::vector<TokenId> token_ids(std::string_view text, std::string_view prompt) const {
    const std::span<const TokenId> prefix = tokenizer_->prefix(), suffix = tokenizer_->suffix();
    std::vector<TokenId> ids(prefix.begin(), prefix.end());
    const std::vector<TokenId> body =
        prompt.empty() ? tokenizer_->encode(text, false) : tokenizer_->encode(fmt::format("{}{}", prompt, text), false);
    const int64_t room = std::max<int64_t>(0, pooling_.max_tokens - int64_t(prefix.size() + suffix.size()));
    ids.insert(ids.end(), body.begin(), body.begin() + std::min<int64_t>(room, int64_t(body.size())));
    ids.insert(ids.end(), suffix.begin(), suffix.end());
    if (ids.empty()) throw Error(Code::bad_input, "a model without special tokens cannot embed an empty text");
    check_ids(ids);
    return ids;
  }

  void check_ids(std::span<const TokenId> ids) const {
    for (const TokenId id : ids)
      if (id < 0 || id >= config_.vocab)
        throw Error(Code::corrupt_file, fmt::format("'{}': token id {} is outside the model's vocabulary of {}",
                                                    file_.native(), id, config_.vocab));
    if (ids.empty() || int64_t(ids.size()) > config_.positions)
      throw Error(Code::bad_input,
                  fmt::format("the input has {} tokens, the model takes 1 to {}", ids.size(), config_.positions));
  }

  static void append(Batch& batch, const std::vector<TokenId>& ids) {
    const int64_t begin = int64_t(batch.ids.size()), tokens = int64_t(ids.size());
    batch.spans.push_back({begin, tokens, begin, tokens});
    batch.ids.insert(batch.ids.end(), ids.begin(), ids.end());
    batch.positions.resize(batch.ids.size());
    std::iota(batch.positions.begin() + begin, batch.positions.end(), 0);
    batch.types.resize(batch.ids.size(), 0);
  }

  // Hidden states of the whole batch, [tokens, hidden], in the caller's scope.
  View forward(const Batch& batch) {
    const View x = ops_.allocate(Shape{int64_t(batch.ids.size()), config_.hidden});
    frugal::embed(ops_, words_, batch.ids, x, false);
    frugal::embed(ops_, positions_, batch.positions, x, true);
    frugal::embed(ops_, types_, batch.types, x, true);
    ops_.norm(norm_, x, x);
    for (const BertLayer& layer : layers_) layer.forward(ops_, batch.spans, x);
    return x;
  }

  void embed_batch(const Batch& batch, std::span<float> out) {
    const Ops::Scope scope(ops_);
    const View x = forward(batch);
    const View pooled = ops_.allocate(Shape{int64_t(batch.spans.size()), config_.hidden});
    ops_.pool(pooling_.pooling, batch.spans, x, pooled);
    if (pooling_.normalize) ops_.normalize_rows(pooled);
    ops_.download(pooled, out);
  }

  Ops& ops_;
  BertConfig config_;
  std::filesystem::path file_;  // for errors
  std::unique_ptr<Tokenizer> tokenizer_;
  PoolingConfig pooling_;
  std::string fingerprint_;
  EmbeddingTable words_, positions_, types_;
  NormSpec norm_;
  std::vector<BertLayer> layers_;
};

// The names are those in packs, in Hugging Face folders (with or without the prefix "bert.") and in GGUF files.
TensorTable list_tensors(TensorTable table, const BertConfig& c) {
  constexpr auto kBias = TensorTable::Bias::required;
  table.embedding({"embeddings.word", "embeddings.word_embeddings", "token_embd"}, c.vocab, c.hidden);
  table.embedding({"embeddings.position", "embeddings.position_embeddings", "position_embd"}, c.positions, c.hidden);
  table.embedding({"embeddings.type", "embeddings.token_type_embeddings", "token_types"}, c.types, c.hidden);
  table.norm({"embeddings.norm", "embeddings.LayerNorm", "token_embd_norm"}, c.hidden, kBias);
  for (int64_t i = 0; i < c.layers; ++i) {
    table.enter({fmt::format("layers.{}.", i), fmt::format("encoder.layer.{}.", i), fmt::format("blk.{}.", i)});
    table.linear({"q", "attention.self.query", "attn_q"}, c.hidden, c.hidden, kBias);
    table.linear({"k", "attention.self.key", "attn_k"}, c.hidden, c.hidden, kBias);
    table.linear({"v", "attention.self.value", "attn_v"}, c.hidden, c.hidden, kBias);
    table.linear({"out", "attention.output.dense", "attn_output"}, c.hidden, c.hidden, kBias);
    table.norm({"norm1", "attention.output.LayerNorm", "attn_output_norm"}, c.hidden, kBias);
    table.linear({"up", "intermediate.dense", "ffn_up"}, c.intermediate, c.hidden, kBias);
    table.linear({"down", "output.dense", "ffn_down"}, c.hidden, c.intermediate, kBias);
    table.norm({"norm2", "output.LayerNorm", "layer_output_norm"}, c.hidden, kBias);
  }
  return table;
}

ModelPlan plan(const Checkpoint& checkpoint) {
  const ConfigReader reader(checkpoint);
  BertConfig config = kHyper.read(reader);
  if (config.hidden % config.heads != 0)
    throw Error(Code::bad_input,
                fmt::format("hidden size {} is not a multiple of {} heads", config.hidden, config.heads));
  if (const auto kind = checkpoint.text("position_embedding_type"); kind && *kind != "absolute")
    throw Error(Code::bad_input, fmt::format("unknown position_embedding_type '{}'", *kind)).hint("known: absolute");
  parse_activation(config.activation);
  const TensorTable names({"", "bert."});
  config.vocab = names.rows_in(checkpoint, {"", "embeddings.word_embeddings", "token_embd"});
  config.types = names.rows_in(checkpoint, {"", "embeddings.token_type_embeddings", "token_types"});

  ModelPlan plan;
  kHyper.write(config, plan.config);
  plan_pooling(checkpoint, reader, config.positions, plan.config);
  plan.tensors = list_tensors(names, config).take();
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  return std::make_unique<BertEmbedder>(source, ops);
}

constexpr std::string_view kAliases[] = {"bert"};

}  // namespace

extern const Architecture kBertArchitecture{"bert", kAliases, ModelKind::embedder, plan, open};

}  // namespace frugal
