#include "model/towers/qformer.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numeric>

namespace frugal {

QFormerLayer::QFormerLayer(const WeightLoader& load, const QFormerConfig& c, int64_t image_hidden, int64_t index)
    : has_cross_(index % c.cross_every == 0) {
  const std::string at = fmt::format("qformer.{}.", index);
  self_ = load_attention(load, c, at, c.hidden);
  if (has_cross_) cross_ = load_attention(load, c, at + "cross_", image_hidden);
  constexpr ActivationScales kScales = ActivationScales::per_token;
  up_ = load.linear(at + "up", c.intermediate, c.hidden, kScales, parse_activation(c.activation));
  down_ = load.linear(at + "down", c.hidden, c.intermediate, kScales);
  norm_ = load.norm(at + "norm2", NormKind::layer, c.hidden, c.epsilon);
  const int64_t head_dim = c.hidden / c.heads;
  spec_ = {c.heads, c.heads, head_dim, 1.0f / std::sqrt(static_cast<float>(head_dim)), false};
}

QFormerLayer::Attention QFormerLayer::load_attention(const WeightLoader& load, const QFormerConfig& c,
                                                     const std::string& at, int64_t source_hidden) {
  constexpr ActivationScales kScales = ActivationScales::per_token;
  return {load.linear(at + "q", c.hidden, c.hidden, kScales), load.linear(at + "k", c.hidden, source_hidden, kScales),
          load.linear(at + "v", c.hidden, source_hidden, kScales), load.linear(at + "out", c.hidden, c.hidden, kScales),
          load.norm(at + "norm", NormKind::layer, c.hidden, c.epsilon)};
}

void QFormerLayer::forward(Ops& ops, View image, View x) const {
  attend(ops, self_, x, x);
  if (has_cross_) attend(ops, cross_, image, x);
  {
    const Ops::Scope scope(ops);
    const View wide = ops.allocate(Shape{x.rows(), up_.outputs()});
    up_.forward(ops, x, wide);
    down_.forward(ops, wide, x, x);
  }
  ops.norm(norm_, x, x);
}

void QFormerLayer::attend(Ops& ops, const Attention& attention, View source, View x) const {
  {
    const Ops::Scope scope(ops);
    const View q = ops.allocate(x.shape), context = ops.allocate(x.shape);
    const Shape rows{source.rows(), x.cols()};
    const View k = ops.allocate(rows), v = ops.allocate(rows);
    attention.q.forward(ops, x, q);
    attention.k.forward(ops, source, k);
    attention.v.forward(ops, source, v);
    ops.attention(spec_, std::array{AttentionSpan{0, x.rows(), 0, source.rows()}}, q, k, v, context);
    attention.out.forward(ops, context, x, x);
  }
  ops.norm(attention.norm, x, x);
}

QFormer::QFormer(const ModelSource& source, Ops& ops, const QFormerConfig& c, int64_t image_hidden)
    : config_(c), queries_(source.embedding("qformer.queries", c.queries, c.hidden, ops)) {
  const WeightLoader load(source, ops);
  norm_ = load.norm("qformer.norm", NormKind::layer, c.hidden, c.epsilon);
  for (int64_t i = 0; i < c.layers; ++i) layers_.emplace_back(load, c, image_hidden, i);
}

void QFormer::read(Ops& ops, View image, View x) const {
  std::vector<int32_t> all(static_cast<size_t>(config_.queries));
  std::iota(all.begin(), all.end(), 0);
  embed(ops, queries_, all, x, false);
  ops.norm(norm_, x, x);
  for (const QFormerLayer& layer : layers_) layer.forward(ops, image, x);
}

// --- plan of a checkpoint ------------------------------------------------------------------------------------------

namespace {

constexpr auto kBias = TensorTable::Bias::required;

void list_attention(TensorTable& table, const QFormerConfig& c, const std::string& pack, const std::string& huggingface,
                    int64_t source_hidden) {
  table.linear({pack + "q", huggingface + ".attention.query", ""}, c.hidden, c.hidden, kBias);
  table.linear({pack + "k", huggingface + ".attention.key", ""}, c.hidden, source_hidden, kBias);
  table.linear({pack + "v", huggingface + ".attention.value", ""}, c.hidden, source_hidden, kBias);
  table.linear({pack + "out", huggingface + ".output.dense", ""}, c.hidden, c.hidden, kBias);
  table.norm({pack + "norm", huggingface + ".output.LayerNorm", ""}, c.hidden, kBias);
}

}  // namespace

void list_qformer(TensorTable& table, const QFormerConfig& c, int64_t image_hidden) {
  table.exact_rows({"qformer.queries", "query_tokens", ""}, c.queries, c.hidden);
  table.norm({"qformer.norm", "qformer.layernorm", ""}, c.hidden, kBias);
  for (int64_t i = 0; i < c.layers; ++i) {
    table.enter({fmt::format("qformer.{}.", i), fmt::format("qformer.encoder.layer.{}.", i), ""});
    list_attention(table, c, "", "attention", c.hidden);
    if (i % c.cross_every == 0) list_attention(table, c, "cross_", "crossattention", image_hidden);
    table.linear({"up", "intermediate_query.dense", ""}, c.intermediate, c.hidden, kBias);
    table.linear({"down", "output_query.dense", ""}, c.hidden, c.intermediate, kBias);
    table.norm({"norm2", "output_query.LayerNorm", ""}, c.hidden, kBias);
  }
  table.enter();
}

}  // namespace frugal
