// ModernBERT (Warner et al. 2024): a pre-norm encoder without biases, with rotary positions and gated feed-forward
// layers. Every third layer attends to all tokens; the others see a window around each, and their positions turn
// faster. As a sentence embedder (gte-modernbert, Ettin), and with the head of AutoModelForSequenceClassification as a
// ranker.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/heads/encoder_embedder.h"
#include "model/heads/encoder_ranker.h"
#include "model/heads/token_ids.h"
#include "model/nn/architecture.h"
#include "model/nn/blocks.h"
#include "model/nn/config_reader.h"
#include "model/nn/hyper_field.h"
#include "model/nn/rope.h"

namespace frugal {
namespace {

struct ModernBertConfig {
  int64_t layers, hidden, heads, intermediate, positions, vocab, window, global_every;
  double epsilon, global_theta, local_theta;
  std::string activation;

  bool is_global(int64_t layer) const { return layer % global_every == 0; }
  int64_t head_dim() const { return hidden / heads; }
};

using C = ModernBertConfig;
constexpr HyperField<C> kFields[] = {
    {"layers", {"num_hidden_layers", ""}, &C::layers, {1, 1024}},
    {"hidden", {"hidden_size", ""}, &C::hidden, {1, 1 << 20}},
    {"heads", {"num_attention_heads", ""}, &C::heads, {1, 1024}},
    {"intermediate", {"intermediate_size", ""}, &C::intermediate, {1, 1 << 22}},
    {"positions", {"max_position_embeddings", ""}, &C::positions, {1, 1 << 20}},
    {"vocab", {}, &C::vocab, {1, 1 << 24}},
    {"window", {"local_attention", ""}, &C::window, {2, 1 << 20}, 128.0},  // both sides together
    {"global_every", {}, &C::global_every, {1, 1024}},
    {"epsilon", {"norm_eps", ""}, &C::epsilon, {0, 1}, 1e-5},
    {"global_theta", {"global_rope_theta", ""}, &C::global_theta, {1, 1e12}, 160000.0},
    {"local_theta", {"local_rope_theta", ""}, &C::local_theta, {1, 1e12}, 10000.0},
    {"activation", {"hidden_activation", ""}, &C::activation, {}, "gelu"},
};
constexpr HyperTable<C> kHyper("modernbert", kFields);

// x: [tokens, hidden], updated in place.
class ModernBertLayer {
 public:
  ModernBertLayer(const WeightLoader& load, const ModernBertConfig& c, int64_t index)
      : intermediate_(c.intermediate), activation_(parse_activation(c.activation)) {
    const std::string at = fmt::format("layers.{}.", index);
    constexpr ActivationScales kScales = ActivationScales::per_token;
    // The first layer's input is the normalised embeddings.
    if (index > 0) norm1_ = load.norm(at + "norm1", NormKind::layer, c.hidden, c.epsilon);
    qkv_ = load.linear(at + "qkv", 3 * c.hidden, c.hidden, kScales);
    out_ = load.linear(at + "out", c.hidden, c.hidden, kScales);
    norm2_ = load.norm(at + "norm2", NormKind::layer, c.hidden, c.epsilon);
    up_gate_ = load.linear(at + "up_gate", 2 * c.intermediate, c.hidden, kScales);
    down_ = load.linear(at + "down", c.hidden, c.intermediate, kScales);
    attention_.num_heads = attention_.num_kv_heads = c.heads;
    attention_.head_dim = c.head_dim();
    attention_.scale = 1.0f / std::sqrt(static_cast<float>(attention_.head_dim));
    if (!c.is_global(index)) attention_.window = c.window / 2;
  }

  void forward(Ops& ops, std::span<const AttentionSpan> spans, const RopeSpec& rope, std::span<const int32_t> positions,
               View x) const {
    attend(ops, spans, rope, positions, x);
    feed_forward(ops, x);
  }

 private:
  void attend(Ops& ops, std::span<const AttentionSpan> spans, const RopeSpec& rope, std::span<const int32_t> positions,
              View x) const {
    const Ops::Scope scope(ops);
    const View qkv = ops.allocate(Shape{x.rows(), 3 * x.cols()});
    project(ops, x, qkv);
    const View q = qkv.columns(0, x.cols()), k = qkv.columns(x.cols(), x.cols()),
               v = qkv.columns(2 * x.cols(), x.cols());
    ops.rope(rope, positions, q, attention_.num_heads, attention_.head_dim);
    ops.rope(rope, positions, k, attention_.num_heads, attention_.head_dim);
    const View context = ops.allocate(x.shape);
    ops.attention(attention_, spans, q, k, v, context);
    out_.forward(ops, context, x, x);
  }

  void project(Ops& ops, View x, View qkv) const {
    if (norm1_.gamma.empty()) return qkv_.forward(ops, x, qkv);
    const Ops::Scope scope(ops);
    const View h = ops.allocate(x.shape);
    ops.norm(norm1_, x, h);
    qkv_.forward(ops, h, qkv);
  }

  void feed_forward(Ops& ops, View x) const {
    const Ops::Scope scope(ops);
    const View up_gate = ops.allocate(Shape{x.rows(), 2 * intermediate_});
    const View up = up_gate.columns(0, intermediate_), gate = up_gate.columns(intermediate_, intermediate_);
    {
      const Ops::Scope normed(ops);
      const View h = ops.allocate(x.shape);
      ops.norm(norm2_, x, h);
      up_gate_.forward(ops, h, up_gate);
    }
    ops.activate_gated(activation_, up, gate, up);  // the activation is on the first half
    down_.forward(ops, up, x, x);
  }

  int64_t intermediate_;
  Activation activation_;
  NormSpec norm1_, norm2_;
  Linear qkv_, out_, up_gate_, down_;
  AttentionSpec attention_;
};

class ModernBertEncoder final : public TextEncoder {
 public:
  ModernBertEncoder(const ModelSource& source, Ops& ops)
      : ops_(ops),
        config_(kHyper.read(source.config())),
        file_(source.path()),
        global_rope_(config_.head_dim(), config_.global_theta, {}, {}),
        local_rope_(config_.head_dim(), config_.local_theta, {}, {}) {
    if (config_.hidden % config_.heads != 0 || config_.head_dim() % 2 != 0)
      source.config().fail("modernbert.hidden is not an even multiple of modernbert.heads");
    words_ = source.embedding("embeddings.word", config_.vocab, config_.hidden, ops);
    const WeightLoader load(source, ops);
    norm_ = load.norm("embeddings.norm", NormKind::layer, config_.hidden, config_.epsilon);
    for (int64_t i = 0; i < config_.layers; ++i) layers_.emplace_back(load, config_, i);
    last_norm_ = load.norm("norm", NormKind::layer, config_.hidden, config_.epsilon);
  }

  int64_t hidden() const override { return config_.hidden; }
  int64_t max_tokens() const override { return config_.positions; }
  bool has_types() const override { return false; }
  void check_ids(std::span<const TokenId> ids) const override {
    check_token_ids(ids, config_.vocab, file_);
    check_input_length(int64_t(ids.size()), max_tokens());
  }

  View encode(const TokenBatch& batch) override {
    const View x = ops_.allocate(Shape{int64_t(batch.ids.size()), config_.hidden});
    embed(ops_, words_, batch.ids, x, false);
    ops_.norm(norm_, x, x);
    int64_t longest = 0;
    for (const AttentionSpan& span : batch.spans) longest = std::max(longest, span.q_tokens);
    const RopeSpec global = global_rope_.spec(longest), local = local_rope_.spec(longest);
    for (size_t i = 0; i < layers_.size(); ++i)
      layers_[i].forward(ops_, batch.spans, config_.is_global(int64_t(i)) ? global : local, batch.positions, x);
    ops_.norm(last_norm_, x, x);
    return x;
  }

  View encode_firsts(const TokenBatch& batch) override {
    const View firsts = ops_.allocate(Shape{int64_t(batch.spans.size()), config_.hidden});
    const Ops::Scope scope(ops_);
    const View x = encode(batch);
    for (size_t i = 0; i < batch.spans.size(); ++i)
      ops_.copy(x.slice_rows(batch.spans[i].q_begin, 1), firsts.slice_rows(int64_t(i), 1));
    return firsts;
  }

 private:
  Ops& ops_;
  ModernBertConfig config_;
  std::filesystem::path file_;  // for errors
  RopeTable global_rope_, local_rope_;
  EmbeddingTable words_;
  NormSpec norm_, last_norm_;
  std::vector<ModernBertLayer> layers_;
};

// --- plan of a checkpoint ------------------------------------------------------------------------------------------

// transformers 5 lists the type of every layer; before, one number said it.
int64_t read_global_every(const Checkpoint& checkpoint, int64_t layers) {
  if (!checkpoint.text("layer_types.0"))
    return ConfigReader(checkpoint).integer({"global_attn_every_n_layers", ""}, 1, 1024, 3);
  const auto is_global = [&](int64_t i) {
    return checkpoint.text(fmt::format("layer_types.{}", i)).value_or("") == "full_attention";
  };
  int64_t every = 1;
  while (every < layers && !is_global(every)) ++every;
  for (int64_t i = 0; i < layers; ++i)
    if (is_global(i) != (i % every == 0))
      throw Error(Code::bad_input,
                  fmt::format("'layer_types': layer {} breaks the rule that one of {} is global", i, every));
  return every;
}

ModernBertConfig read_config(const Checkpoint& checkpoint, const TensorTable& table) {
  ModernBertConfig config = kHyper.read(ConfigReader(checkpoint));
  if (config.hidden % config.heads != 0 || config.head_dim() % 2 != 0)
    throw Error(Code::bad_input,
                fmt::format("hidden size {} is not an even multiple of {} heads", config.hidden, config.heads));
  const auto theta = [&](std::string_view layers, double otherwise) {
    return checkpoint.number(fmt::format("rope_parameters.{}.rope_theta", layers)).value_or(otherwise);
  };
  config.global_theta = theta("full_attention", config.global_theta);
  config.local_theta = theta("sliding_attention", config.local_theta);
  config.global_every = read_global_every(checkpoint, config.layers);
  config.vocab = table.rows_in(checkpoint, {"", "embeddings.tok_embeddings", ""});
  parse_activation(config.activation);
  return config;
}

// norm_bias, attention_bias and mlp_bias give every layer of a sort a bias.
ModernBertConfig plan_encoder(const Checkpoint& checkpoint, TensorTable& table,
                              std::map<std::string, std::string>& keys) {
  ModernBertConfig c = read_config(checkpoint, table);
  kHyper.write(c, keys);
  constexpr auto kBias = TensorTable::Bias::optional;
  table.embedding({"embeddings.word", "embeddings.tok_embeddings", ""}, c.vocab, c.hidden);
  table.norm({"embeddings.norm", "embeddings.norm", ""}, c.hidden, kBias);
  for (int64_t i = 0; i < c.layers; ++i) {
    table.enter({fmt::format("layers.{}.", i), fmt::format("layers.{}.", i), ""});
    if (i > 0) table.norm({"norm1", "attn_norm", ""}, c.hidden, kBias);
    table.linear({"qkv", "attn.Wqkv", ""}, 3 * c.hidden, c.hidden, kBias);
    table.linear({"out", "attn.Wo", ""}, c.hidden, c.hidden, kBias);
    table.norm({"norm2", "mlp_norm", ""}, c.hidden, kBias);
    table.linear({"up_gate", "mlp.Wi", ""}, 2 * c.intermediate, c.hidden, kBias);
    table.linear({"down", "mlp.Wo", ""}, c.hidden, c.intermediate, kBias);
  }
  table.enter();
  table.norm({"norm", "final_norm", ""}, c.hidden, kBias);
  return c;
}

TensorTable names() {
  return TensorTable({"", "model."});
}

ModelPlan plan(const Checkpoint& checkpoint) {
  ModelPlan plan;
  TensorTable table = names();
  const ModernBertConfig config = plan_encoder(checkpoint, table, plan.config);
  plan.tensors = std::move(table).take();
  plan_encoder_embedder(checkpoint, config.hidden, config.positions, plan);
  return plan;
}

std::unique_ptr<Model> open(const ModelSource& source, Ops& ops) {
  return make_encoder_embedder("modernbert", std::make_unique<ModernBertEncoder>(source, ops), source, ops);
}

ModelPlan plan_ranker(const Checkpoint& checkpoint) {
  ModelPlan plan;
  TensorTable table = names();
  const ModernBertConfig config = plan_encoder(checkpoint, table, plan.config);
  const std::string pooling = checkpoint.text("classifier_pooling").value_or("cls");
  if (pooling != "cls" && pooling != "mean")
    throw Error(Code::bad_input, fmt::format("unknown classifier_pooling '{}'", pooling)).hint("known: cls, mean");
  plan_rank_head(checkpoint,
                 {.dense = "head.dense",
                  .dense_bias = TensorTable::Bias::optional,
                  .activation = checkpoint.text("classifier_activation").value_or("gelu"),
                  .norm = "head.norm",
                  .label = "classifier",
                  .pooling = pooling == "cls" ? Pooling::cls : Pooling::mean},
                 config.hidden, config.positions, table, plan.config);
  plan.tensors = std::move(table).take();
  return plan;
}

std::unique_ptr<Model> open_ranker(const ModelSource& source, Ops& ops) {
  return make_encoder_ranker("modernbert-ranker", std::make_unique<ModernBertEncoder>(source, ops), source, ops);
}

constexpr std::string_view kAliases[] = {"modernbert"};
constexpr std::string_view kRankerAliases[] = {"ModernBertForSequenceClassification"};

}  // namespace

extern const Architecture kModernBertArchitecture{"modernbert", kAliases, ModelKind::embedder, plan, open};
extern const Architecture kModernBertRankerArchitecture{"modernbert-ranker", kRankerAliases, ModelKind::reader,
                                                        plan_ranker, open_ranker};

}  // namespace frugal
