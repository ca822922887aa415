#include "model/towers/clip_tower.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace frugal {
namespace {

void copy_rows(Ops& ops, View x, std::span<const int64_t> rows, View out) {
  for (size_t i = 0; i < rows.size(); ++i) ops.copy(x.slice_rows(rows[i], 1), out.slice_rows(int64_t(i), 1));
}

}  // namespace

ClipLayer::ClipLayer(const WeightLoader& load, const ClipTowerConfig& c, const std::string& at, bool causal) {
  constexpr ActivationScales kScales = ActivationScales::per_token;
  norm1_ = load.norm(at + "norm1", NormKind::layer, c.hidden, c.epsilon);
  q_ = load.linear(at + "q", c.hidden, c.hidden, kScales);
  const Linear k = load.linear(at + "k", c.hidden, c.hidden, kScales);
  const Linear v = load.linear(at + "v", c.hidden, c.hidden, kScales);
  qkv_ = LinearGroup({q_, k, v});
  kv_ = LinearGroup({k, v});
  out_ = load.linear(at + "out", c.hidden, c.hidden, kScales);
  mlp_ = {load.norm(at + "norm2", NormKind::layer, c.hidden, c.epsilon),
          load.linear(at + "up", c.intermediate, c.hidden, kScales, parse_activation(c.activation)),
          load.linear(at + "down", c.hidden, c.intermediate, kScales)};
  attention_.num_heads = attention_.num_kv_heads = c.heads;
  attention_.head_dim = c.hidden / c.heads;
  attention_.scale = 1.0f / std::sqrt(static_cast<float>(attention_.head_dim));
  attention_.causal = causal;
}

void ClipLayer::forward(Ops& ops, std::span<const AttentionSpan> spans, View x) const {
  attend(ops, spans, x);
  mlp_.forward(ops, x);
}

void ClipLayer::forward_chosen(Ops& ops, std::span<const AttentionSpan> spans, std::span<const int64_t> chosen, View x,
                               View out) const {
  copy_rows(ops, x, chosen, out);
  attend_chosen(ops, spans, chosen, x, out);
  mlp_.forward(ops, out);
}

// Each half releases its working memory before the other begins, and the normalised input is dead after the projection.
void ClipLayer::attend(Ops& ops, std::span<const AttentionSpan> spans, View x) const {
  const Ops::Scope scope(ops);
  const View q = ops.allocate(x.shape), k = ops.allocate(x.shape), v = ops.allocate(x.shape);
  {
    const Ops::Scope normed(ops);
    const View h = ops.allocate(x.shape);
    ops.norm(norm1_, x, h);
    qkv_.forward(ops, h, std::array{q, k, v});
  }
  const View context = ops.allocate(x.shape);
  ops.attention(attention_, spans, q, k, v, context);
  out_.forward(ops, context, x, x);
}

void ClipLayer::attend_chosen(Ops& ops, std::span<const AttentionSpan> spans, std::span<const int64_t> chosen, View x,
                              View out) const {
  const Ops::Scope scope(ops);
  std::vector<AttentionSpan> single(spans.begin(), spans.end());
  for (size_t i = 0; i < single.size(); ++i) {
    if (attention_.causal) single[i].kv_tokens = chosen[i] - single[i].kv_begin + 1;
    single[i].q_begin = int64_t(i);
    single[i].q_tokens = 1;
  }
  const View q = ops.allocate(out.shape), k = ops.allocate(x.shape), v = ops.allocate(x.shape);
  {
    const Ops::Scope normed(ops);
    const View h = ops.allocate(x.shape);
    ops.norm(norm1_, x, h);
    kv_.forward(ops, h, std::array{k, v});
    const View chosen_h = ops.allocate(out.shape);
    copy_rows(ops, h, chosen, chosen_h);
    q_.forward(ops, chosen_h, q);
  }
  const View context = ops.allocate(out.shape);
  ops.attention(attention_, single, q, k, v, context);
  out_.forward(ops, context, out, out);
}

ClipTower::ClipTower(const WeightLoader& load, const ClipTowerConfig& c, const std::string& name, bool causal) {
  layers_.reserve(static_cast<size_t>(c.layers));
  for (int64_t i = 0; i < c.layers; ++i) layers_.emplace_back(load, c, fmt::format("{}.layers.{}.", name, i), causal);
  norm_ = load.norm(name + ".norm", NormKind::layer, c.hidden, c.epsilon);
  projection_ = load.linear(name + ".projection", c.dimension, c.hidden, ActivationScales::per_token);
}

void ClipTower::embed(Ops& ops, std::span<const AttentionSpan> spans, std::span<const int64_t> chosen, View x,
                      View out) const {
  const Ops::Scope scope(ops);
  for (size_t i = 0; i + 1 < layers_.size(); ++i) layers_[i].forward(ops, spans, x);
  const View states = ops.allocate(Shape{int64_t(spans.size()), x.cols()});
  layers_.back().forward_chosen(ops, spans, chosen, x, states);
  ops.norm(norm_, states, states);
  projection_.forward(ops, states, out);
  ops.normalize_rows(out);
}

void list_clip_tower(TensorTable& table, const ClipTowerConfig& c, const ClipTowerNames& names) {
  constexpr auto kBias = TensorTable::Bias::required;
  for (int64_t i = 0; i < c.layers; ++i) {
    table.enter(
        {fmt::format("{}.layers.{}.", names.pack, i), fmt::format("{}.encoder.layers.{}.", names.huggingface, i), ""});
    table.norm({"norm1", "layer_norm1", ""}, c.hidden, kBias);
    table.linear({"q", "self_attn.q_proj", ""}, c.hidden, c.hidden, kBias);
    table.linear({"k", "self_attn.k_proj", ""}, c.hidden, c.hidden, kBias);
    table.linear({"v", "self_attn.v_proj", ""}, c.hidden, c.hidden, kBias);
    table.linear({"out", "self_attn.out_proj", ""}, c.hidden, c.hidden, kBias);
    table.norm({"norm2", "layer_norm2", ""}, c.hidden, kBias);
    table.linear({"up", "mlp.fc1", ""}, c.intermediate, c.hidden, kBias);
    table.linear({"down", "mlp.fc2", ""}, c.hidden, c.intermediate, kBias);
  }
  table.enter();
  table.norm({names.pack + ".norm", fmt::format("{}.{}", names.huggingface, names.norm), ""}, c.hidden, kBias);
  table.linear({names.pack + ".projection", names.projection, ""}, c.dimension, c.hidden, TensorTable::Bias::none);
}

}  // namespace frugal
