#include "model/arch/bert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "model/format/flat_json.h"
#include "model/nn/blocks.h"
#include "model/nn/config_reader.h"
#include "model/nn/model_source.h"

namespace frugal {
namespace {

// Tokens of one forward pass: enough rows to keep the kernels busy, few enough that the widest activation stays near
// the caches (1,024 · 1,536 floats are 6 MiB).
constexpr int64_t kTokensPerForward = 1024;

std::vector<std::string> source_names(const std::string& huggingface, const std::string& gguf) {
  return {huggingface, "bert." + huggingface, gguf};
}

struct TensorTable {
  std::vector<TensorSpec> tensors;

  void embedding(const std::string& name, const std::string& huggingface, const std::string& gguf, Shape shape) {
    tensors.push_back({name, source_names(huggingface, gguf), TensorRole::embedding, shape, false, 0});
  }
  void linear(const std::string& name, const std::string& huggingface, const std::string& gguf, int64_t outputs,
              int64_t inputs) {
    tensors.push_back({name + ".weight", source_names(huggingface + ".weight", gguf + ".weight"), TensorRole::linear,
                       Shape{outputs, inputs}, false, 0});
    vector(name + ".bias", huggingface + ".bias", gguf + ".bias", outputs);
  }
  void norm(const std::string& name, const std::string& huggingface, const std::string& gguf, int64_t features) {
    vector(name + ".weight", huggingface + ".weight", gguf + ".weight", features);
    vector(name + ".bias", huggingface + ".bias", gguf + ".bias", features);
  }

 private:
  void vector(const std::string& name, const std::string& huggingface, const std::string& gguf, int64_t features) {
    tensors.push_back({name, source_names(huggingface, gguf), TensorRole::vector, Shape{features}, false, 0});
  }
};

// Pooling and length limit, from sentence-transformers' side files where there are any.
void plan_pooling(const Checkpoint& checkpoint, const ConfigReader& config, int64_t positions, ModelPlan& plan) {
  std::string pooling = "mean";
  bool normalize = true;
  int64_t max_tokens = positions;
  if (config.gguf()) {
    const int64_t kind = config.integer({"", "pooling_type"}, 0, 4, 1);
    pooling = kind == 2 ? "cls" : kind == 3 ? "last" : "mean";
  } else if (const auto modules = checkpoint.side_file("modules.json")) {
    normalize = modules->find("Normalize") != std::string::npos;
    if (const auto side = checkpoint.side_file("1_Pooling/config.json")) {
      const FlatJson fields(*side, "1_Pooling/config.json");
      const auto flag = [&](std::string_view key) { return fields.integer(key).value_or(0) != 0; };
      if (flag("pooling_mode_cls_token"))
        pooling = "cls";
      else if (flag("pooling_mode_lasttoken"))
        pooling = "last";
      else if (!flag("pooling_mode_mean_tokens"))
        throw Error(Code::bad_input, "1_Pooling/config.json: only mean, cls and last-token pooling are known");
    }
    if (const auto side = checkpoint.side_file("sentence_bert_config.json"))
      max_tokens = std::clamp<int64_t>(
          FlatJson(*side, "sentence_bert_config.json").integer("max_seq_length").value_or(positions), 3, positions);
  }
  plan.config["embed.pooling"] = pooling;
  plan.config["embed.normalize"] = normalize ? "true" : "false";
  plan.config["embed.max_tokens"] = std::to_string(max_tokens);
}

struct BertConfig {
  int64_t layers, hidden, heads, intermediate, positions, vocab, types;
  float epsilon;
  Activation activation;
};

BertConfig read_config(const ModelConfig& config) {
  BertConfig c;
  c.layers = config.require_int("bert.layers", 1, 1024);
  c.hidden = config.require_int("bert.hidden", 1, 1 << 20);
  c.heads = config.require_int("bert.heads", 1, 1024);
  c.intermediate = config.require_int("bert.intermediate", 1, 1 << 22);
  c.positions = config.require_int("bert.positions", 1, 1 << 20);
  c.vocab = config.require_int("bert.vocab", 1, 1 << 24);
  c.types = config.require_int("bert.types", 1, 1024);
  c.epsilon = static_cast<float>(config.require_float("bert.epsilon"));
  c.activation = parse_activation(config.require_text("bert.activation"));
  return c;
}

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
    up_ = load.linear(at + "up", c.intermediate, c.hidden, kScales, c.activation);
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
  // Each half gives its working memory up before the other begins: what is alive at once is the arena's peak.
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

Pooling parse_pooling(std::string_view name) {
  if (name == "mean") return Pooling::mean;
  if (name == "cls") return Pooling::cls;
  if (name == "last") return Pooling::last;
  throw Error(Code::corrupt_file, fmt::format("unknown pooling '{}'", name)).hint("re-run quantize-model");
}

class BertEmbedder final : public Embedder {
 public:
  BertEmbedder(const ModelSource& source, Ops& ops)
      : ops_(ops),
        config_(read_config(source.config())),
        tokenizer_(Tokenizer::open(source.tokenizer())),
        max_tokens_(source.config().require_int("embed.max_tokens", 3, config_.positions)),
        pooling_(parse_pooling(source.config().require_text("embed.pooling"))),
        normalize_(source.config().require_text("embed.normalize") == "true"),
        fingerprint_(fmt::format("bert/{}/{}/{}", source.config().require_text("embed.pooling"), max_tokens_,
                                 source.identity())) {
    if (config_.hidden % config_.heads != 0) source.config().fail("bert.hidden is not a multiple of bert.heads");
    words_ = source.embedding("embeddings.word", config_.vocab, config_.hidden, ops);
    positions_ = source.embedding("embeddings.position", config_.positions, config_.hidden, ops);
    types_ = source.embedding("embeddings.type", config_.types, config_.hidden, ops);
    const WeightLoader load(source, ops);
    norm_ = load.norm("embeddings.norm", NormKind::layer, config_.hidden, config_.epsilon);
    for (int64_t i = 0; i < config_.layers; ++i) layers_.emplace_back(load, config_, i);
  }

  int64_t dimension() const override { return config_.hidden; }
  int64_t max_tokens() const override { return max_tokens_; }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  std::string fingerprint() const override { return fingerprint_; }

  void embed(std::span<const std::string_view> texts, std::span<float> out) override {
    FRUGAL_CHECK(int64_t(out.size()) == int64_t(texts.size()) * dimension());
    Batch batch;
    size_t first = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      append(batch, token_ids(texts[i]));
      const bool last = i + 1 == texts.size();
      if (!last && int64_t(batch.ids.size()) + max_tokens_ <= kTokensPerForward) continue;
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

  // [CLS] text [SEP], the text cut to fit.
  std::vector<TokenId> token_ids(std::string_view text) const {
    const std::span<const TokenId> prefix = tokenizer_->prefix(), suffix = tokenizer_->suffix();
    std::vector<TokenId> ids(prefix.begin(), prefix.end());
    const std::vector<TokenId> body = tokenizer_->encode(text, false);
    const int64_t room = std::max<int64_t>(0, max_tokens_ - int64_t(prefix.size() + suffix.size()));
    ids.insert(ids.end(), body.begin(), body.begin() + std::min<int64_t>(room, int64_t(body.size())));
    ids.insert(ids.end(), suffix.begin(), suffix.end());
    if (ids.empty())
      throw Error(Code::bad_input, "an empty text cannot be embedded by a model without template tokens");
    check_ids(ids);
    return ids;
  }

  void check_ids(std::span<const TokenId> ids) const {
    for (const TokenId id : ids)
      if (id < 0 || id >= config_.vocab)
        throw Error(Code::corrupt_file,
                    fmt::format("token id {} is outside the model's vocabulary of {}", id, config_.vocab));
    if (ids.empty() || int64_t(ids.size()) > config_.positions)
      throw Error(Code::bad_input, fmt::format("{} tokens, the model takes 1 to {}", ids.size(), config_.positions));
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
    ops_.pool(pooling_, batch.spans, x, pooled);
    if (normalize_) ops_.normalize_rows(pooled);
    ops_.download(pooled, out);
  }

  Ops& ops_;
  BertConfig config_;
  std::unique_ptr<Tokenizer> tokenizer_;
  int64_t max_tokens_;
  Pooling pooling_;
  bool normalize_;
  std::string fingerprint_;
  EmbeddingTable words_, positions_, types_;
  NormSpec norm_;
  std::vector<BertLayer> layers_;
};

}  // namespace

ModelPlan plan_bert(const Checkpoint& checkpoint) {
  const ConfigReader config(checkpoint);
  const int64_t layers = config.integer({"num_hidden_layers", "block_count"}, 1, 1024);
  const int64_t hidden = config.integer({"hidden_size", "embedding_length"}, 1, 1 << 20);
  const int64_t heads = config.integer({"num_attention_heads", "attention.head_count"}, 1, 1024);
  const int64_t intermediate = config.integer({"intermediate_size", "feed_forward_length"}, 1, 1 << 22);
  const int64_t positions = config.integer({"max_position_embeddings", "context_length"}, 1, 1 << 20);
  if (hidden % heads != 0)
    throw Error(Code::bad_input, fmt::format("hidden size {} is not a multiple of {} heads", hidden, heads));
  if (const auto kind = checkpoint.text("position_embedding_type"); kind && *kind != "absolute")
    throw Error(Code::bad_input, fmt::format("position_embedding_type '{}' is not known", *kind))
        .hint("known: absolute");

  const auto rows_of = [&](const std::string& huggingface, const std::string& gguf) {
    for (const std::string& name : source_names(huggingface, gguf))
      if (const SourceTensor* tensor = checkpoint.find(name)) return tensor->shape[0];
    throw Error(Code::bad_input,
                fmt::format("the checkpoint lacks the tensor '{}'", config.gguf() ? gguf : huggingface));
  };
  const int64_t vocab = rows_of("embeddings.word_embeddings.weight", "token_embd.weight");
  const int64_t types = rows_of("embeddings.token_type_embeddings.weight", "token_types.weight");

  ModelPlan plan;
  plan.architecture = "bert";
  plan.config = {{"model.architecture", "bert"},
                 {"bert.layers", std::to_string(layers)},
                 {"bert.hidden", std::to_string(hidden)},
                 {"bert.heads", std::to_string(heads)},
                 {"bert.intermediate", std::to_string(intermediate)},
                 {"bert.positions", std::to_string(positions)},
                 {"bert.vocab", std::to_string(vocab)},
                 {"bert.types", std::to_string(types)},
                 {"bert.epsilon",
                  fmt::format("{}", config.number({"layer_norm_eps", "attention.layer_norm_epsilon"}, 0, 1, 1e-12))},
                 {"bert.activation", config.text({"hidden_act", "hidden_act"}).value_or("gelu")}};
  parse_activation(plan.config["bert.activation"]);
  plan_pooling(checkpoint, config, positions, plan);

  TensorTable table;
  table.embedding("embeddings.word", "embeddings.word_embeddings.weight", "token_embd.weight", {vocab, hidden});
  table.embedding("embeddings.position", "embeddings.position_embeddings.weight", "position_embd.weight",
                  {positions, hidden});
  table.embedding("embeddings.type", "embeddings.token_type_embeddings.weight", "token_types.weight", {types, hidden});
  table.norm("embeddings.norm", "embeddings.LayerNorm", "token_embd_norm", hidden);
  for (int64_t i = 0; i < layers; ++i) {
    const std::string at = fmt::format("layers.{}.", i), hf = fmt::format("encoder.layer.{}.", i),
                      gguf = fmt::format("blk.{}.", i);
    table.linear(at + "q", hf + "attention.self.query", gguf + "attn_q", hidden, hidden);
    table.linear(at + "k", hf + "attention.self.key", gguf + "attn_k", hidden, hidden);
    table.linear(at + "v", hf + "attention.self.value", gguf + "attn_v", hidden, hidden);
    table.linear(at + "out", hf + "attention.output.dense", gguf + "attn_output", hidden, hidden);
    table.norm(at + "norm1", hf + "attention.output.LayerNorm", gguf + "attn_output_norm", hidden);
    table.linear(at + "up", hf + "intermediate.dense", gguf + "ffn_up", intermediate, hidden);
    table.linear(at + "down", hf + "output.dense", gguf + "ffn_down", hidden, intermediate);
    table.norm(at + "norm2", hf + "output.LayerNorm", gguf + "layer_output_norm", hidden);
  }
  plan.tensors = std::move(table.tensors);
  return plan;
}

std::unique_ptr<Embedder> open_bert(const ModelSource& source, Ops& ops) {
  return std::make_unique<BertEmbedder>(source, ops);
}

}  // namespace frugal
