#include "model/towers/blip2_vision.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace frugal {

Blip2VisionLayer::Blip2VisionLayer(const WeightLoader& load, const Blip2VisionConfig& c, int64_t index) {
  constexpr ActivationScales kScales = ActivationScales::per_token;
  const std::string at = fmt::format("image.{}.", index);
  norm1_ = load.norm(at + "norm1", NormKind::layer, c.hidden, c.epsilon);
  qkv_ = load.linear(at + "qkv", 3 * c.hidden, c.hidden, kScales);
  out_ = load.linear(at + "out", c.hidden, c.hidden, kScales);
  mlp_ = {load.norm(at + "norm2", NormKind::layer, c.hidden, c.epsilon),
          load.linear(at + "up", c.intermediate, c.hidden, kScales, parse_activation(c.activation)),
          load.linear(at + "down", c.hidden, c.intermediate, kScales)};
  const int64_t head_dim = c.hidden / c.heads;
  attention_ = {c.heads, c.heads, head_dim, 1.0f / std::sqrt(static_cast<float>(head_dim)), false};
}

void Blip2VisionLayer::forward(Ops& ops, View x) const {
  attend(ops, x);
  mlp_.forward(ops, x);
}

void Blip2VisionLayer::attend(Ops& ops, View x) const {
  const Ops::Scope scope(ops);
  const View qkv = ops.allocate(Shape{x.rows(), 3 * x.cols()});
  {
    const Ops::Scope normed(ops);
    const View h = ops.allocate(x.shape);
    ops.norm(norm1_, x, h);
    qkv_.forward(ops, h, qkv);
  }
  const View q = qkv.columns(0, x.cols()), k = qkv.columns(x.cols(), x.cols()), v = qkv.columns(2 * x.cols(), x.cols());
  const View context = ops.allocate(x.shape);
  ops.attention(attention_, std::array{AttentionSpan{0, x.rows(), 0, x.rows()}}, q, k, v, context);
  out_.forward(ops, context, x, x);
}

Blip2Vision::Blip2Vision(const ModelSource& source, Ops& ops, const Blip2VisionConfig& c)
    : patches_(c.patches()), input_(source, WeightLoader(source, ops), ops, patches_) {
  const WeightLoader load(source, ops);
  for (int64_t i = 0; i < c.layers; ++i) layers_.emplace_back(load, c, i);
  norm_ = load.norm("image.norm", NormKind::layer, c.hidden, c.epsilon);
}

void Blip2Vision::encode(Ops& ops, const RgbImage& image, Budget& budget, View x) const {
  input_.embed(ops, image, budget, x);
  for (const Blip2VisionLayer& layer : layers_) layer.forward(ops, x);
  ops.norm(norm_, x, x);
}

void list_blip2_vision(TensorTable& table, const Blip2VisionConfig& c) {
  constexpr auto kBias = TensorTable::Bias::required;
  const PatchConfig patches = c.patches();
  table.linear({"image.patches", "vision_model.embeddings.patch_embedding", ""}, c.hidden, patches.patch_values(),
               kBias);
  table.exact_rows({"image.class", "vision_model.embeddings.class_embedding", ""}, 1, c.hidden);
  table.exact_rows({"image.positions", "vision_model.embeddings.position_embedding", ""}, patches.tokens(), c.hidden);
  for (int64_t i = 0; i < c.layers; ++i) {
    table.enter({fmt::format("image.{}.", i), fmt::format("vision_model.encoder.layers.{}.", i), ""});
    table.norm({"norm1", "layer_norm1", ""}, c.hidden, kBias);
    table.linear({"qkv", "self_attn.qkv", ""}, 3 * c.hidden, c.hidden, TensorTable::Bias::optional);
    table.linear({"out", "self_attn.projection", ""}, c.hidden, c.hidden, kBias);
    table.norm({"norm2", "layer_norm2", ""}, c.hidden, kBias);
    table.linear({"up", "mlp.fc1", ""}, c.intermediate, c.hidden, kBias);
    table.linear({"down", "mlp.fc2", ""}, c.hidden, c.intermediate, kBias);
  }
  table.enter();
  table.norm({"image.norm", "vision_model.post_layernorm", ""}, c.hidden, kBias);
}

}  // namespace frugal
