#include "model/trunks/bert_encoder.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/error.h"
#include "model/heads/token_ids.h"
#include "model/nn/config_reader.h"

namespace frugal {
namespace {

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

// Packs without this key begin at 0.
constexpr std::string_view kFirstPosition = "bert.first_position";

void list_tensors(TensorTable& table, const BertConfig& c) {
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
  table.enter();
}

}  // namespace

BertLayer::BertLayer(const WeightLoader& load, const BertConfig& c, int64_t index) {
  const std::string at = fmt::format("layers.{}.", index);
  constexpr ActivationScales kScales = ActivationScales::per_token;
  q_ = load.linear(at + "q", c.hidden, c.hidden, kScales);
  const Linear k = load.linear(at + "k", c.hidden, c.hidden, kScales);
  const Linear v = load.linear(at + "v", c.hidden, c.hidden, kScales);
  qkv_ = LinearGroup({q_, k, v});
  kv_ = LinearGroup({k, v});
  out_ = load.linear(at + "out", c.hidden, c.hidden, kScales);
  norm1_ = load.norm(at + "norm1", NormKind::layer, c.hidden, c.epsilon);
  up_ = load.linear(at + "up", c.intermediate, c.hidden, kScales, parse_activation(c.activation));
  down_ = load.linear(at + "down", c.hidden, c.intermediate, kScales);
  norm2_ = load.norm(at + "norm2", NormKind::layer, c.hidden, c.epsilon);
  attention_.num_heads = attention_.num_kv_heads = c.heads;
  attention_.head_dim = c.hidden / c.heads;
  attention_.scale = 1.0f / std::sqrt(static_cast<float>(attention_.head_dim));
}

void BertLayer::forward(Ops& ops, std::span<const AttentionSpan> spans, View x) const {
  attend(ops, spans, x);
  finish(ops, x);
}

void BertLayer::forward_firsts(Ops& ops, std::span<const AttentionSpan> spans, View x, View firsts) const {
  for (size_t i = 0; i < spans.size(); ++i)
    ops.copy(x.slice_rows(spans[i].q_begin, 1), firsts.slice_rows(int64_t(i), 1));
  attend_firsts(ops, spans, x, firsts);
  finish(ops, firsts);
}

void BertLayer::finish(Ops& ops, View x) const {
  ops.norm(norm1_, x, x);
  feed_forward(ops, x);
  ops.norm(norm2_, x, x);
}

// Each half releases its working memory before the other begins, so the arena's peak is that of the larger one.
void BertLayer::attend(Ops& ops, std::span<const AttentionSpan> spans, View x) const {
  const Ops::Scope scope(ops);
  const View q = ops.allocate(x.shape), k = ops.allocate(x.shape), v = ops.allocate(x.shape);
  qkv_.forward(ops, x, std::array{q, k, v});
  const View context = ops.allocate(x.shape);
  ops.attention(attention_, spans, q, k, v, context);
  out_.forward(ops, context, x, x);
}

void BertLayer::attend_firsts(Ops& ops, std::span<const AttentionSpan> spans, View x, View firsts) const {
  const Ops::Scope scope(ops);
  std::vector<AttentionSpan> single(spans.begin(), spans.end());
  for (size_t i = 0; i < single.size(); ++i) {
    single[i].q_begin = int64_t(i);
    single[i].q_tokens = 1;
  }
  const View q = ops.allocate(firsts.shape), k = ops.allocate(x.shape), v = ops.allocate(x.shape);
  q_.forward(ops, firsts, q);
  kv_.forward(ops, x, std::array{k, v});
  const View context = ops.allocate(firsts.shape);
  ops.attention(attention_, single, q, k, v, context);
  out_.forward(ops, context, firsts, firsts);
}

void BertLayer::feed_forward(Ops& ops, View x) const {
  const Ops::Scope scope(ops);
  const View h = ops.allocate(Shape{x.rows(), up_.outputs()});
  up_.forward(ops, x, h);
  down_.forward(ops, h, x, x);
}

BertEncoder::BertEncoder(const ModelSource& source, Ops& ops)
    : ops_(ops),
      config_(kHyper.read(source.config())),
      first_position_(source.config().find_int(kFirstPosition).value_or(0)),
      file_(source.path()) {
  if (config_.hidden % config_.heads != 0) source.config().fail("bert.hidden is not a multiple of bert.heads");
  if (first_position_ < 0 || first_position_ >= config_.positions)
    source.config().fail("bert.first_position is not one of bert.positions");
  words_ = source.embedding("embeddings.word", config_.vocab, config_.hidden, ops);
  positions_ = source.embedding("embeddings.position", config_.positions, config_.hidden, ops);
  types_ = source.embedding("embeddings.type", config_.types, config_.hidden, ops);
  const WeightLoader load(source, ops);
  norm_ = load.norm("embeddings.norm", NormKind::layer, config_.hidden, config_.epsilon);
  for (int64_t i = 0; i < config_.layers; ++i) layers_.emplace_back(load, config_, i);
}

void BertEncoder::check_ids(std::span<const TokenId> ids) const {
  check_token_ids(ids, config_.vocab, file_);
  check_input_length(int64_t(ids.size()), max_tokens());
}

View BertEncoder::embed(const TokenBatch& batch) const {
  const View x = ops_.allocate(Shape{int64_t(batch.ids.size()), config_.hidden});
  frugal::embed(ops_, words_, batch.ids, x, false);
  std::vector<int32_t> positions = batch.positions;
  for (int32_t& position : positions) position += static_cast<int32_t>(first_position_);
  frugal::embed(ops_, positions_, positions, x, true);
  frugal::embed(ops_, types_, batch.types, x, true);
  ops_.norm(norm_, x, x);
  return x;
}

void BertEncoder::run(std::span<const AttentionSpan> spans, View x, int64_t first, int64_t last) const {
  for (int64_t i = first; i < last; ++i) layers_[static_cast<size_t>(i)].forward(ops_, spans, x);
}

void BertEncoder::run_firsts(std::span<const AttentionSpan> spans, View x, int64_t layer, View firsts) const {
  layers_[static_cast<size_t>(layer)].forward_firsts(ops_, spans, x, firsts);
}

View BertEncoder::encode(const TokenBatch& batch) {
  const View x = embed(batch);
  run(batch.spans, x, 0, config_.layers);
  return x;
}

View BertEncoder::encode_firsts(const TokenBatch& batch) {
  const View firsts = ops_.allocate(Shape{int64_t(batch.spans.size()), config_.hidden});
  const Ops::Scope scope(ops_);
  const View x = embed(batch);
  run(batch.spans, x, 0, config_.layers - 1);
  run_firsts(batch.spans, x, config_.layers - 1, firsts);
  return firsts;
}

TensorTable bert_names() {
  return TensorTable({"", "bert.", "roberta."});
}

BertConfig plan_bert_encoder(const Checkpoint& checkpoint, TensorTable& table,
                             std::map<std::string, std::string>& keys) {
  BertConfig config = kHyper.read(ConfigReader(checkpoint));
  if (config.hidden % config.heads != 0)
    throw Error(Code::bad_input,
                fmt::format("hidden size {} is not a multiple of {} heads", config.hidden, config.heads));
  if (const auto kind = checkpoint.text("position_embedding_type"); kind && *kind != "absolute")
    throw Error(Code::bad_input, fmt::format("unknown position_embedding_type '{}'", *kind)).hint("known: absolute");
  parse_activation(config.activation);
  config.vocab = table.rows_in(checkpoint, {"", "embeddings.word_embeddings", "token_embd"});
  config.types = table.rows_in(checkpoint, {"", "embeddings.token_type_embeddings", "token_types"});
  kHyper.write(config, keys);
  list_tensors(table, config);
  return config;
}

BertConfig plan_roberta_encoder(const Checkpoint& checkpoint, TensorTable& table,
                                std::map<std::string, std::string>& keys) {
  BertConfig config = plan_bert_encoder(checkpoint, table, keys);
  const int64_t first = ConfigReader(checkpoint).integer({"pad_token_id", ""}, 0, 1 << 20, 1) + 1;
  if (first >= config.positions)
    throw Error(Code::bad_input, fmt::format("'pad_token_id' is {}: of {} positions none is left for tokens", first - 1,
                                             config.positions));
  keys[std::string(kFirstPosition)] = std::to_string(first);
  config.positions -= first;
  return config;
}

}  // namespace frugal
