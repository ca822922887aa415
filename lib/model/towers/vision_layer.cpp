#include "model/towers/vision_layer.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace frugal {

VisionLayer::VisionLayer(const WeightLoader& load, const VisionLayerConfig& c, int64_t index) {
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

void VisionLayer::forward(Ops& ops, View x, const PatchRotation* rotation) const {
  attend(ops, x, rotation);
  mlp_.forward(ops, x);
}

void VisionLayer::attend(Ops& ops, View x, const PatchRotation* rotation) const {
  const Ops::Scope scope(ops);
  const View qkv = ops.allocate(Shape{x.rows(), 3 * x.cols()});
  {
    const Ops::Scope normed(ops);
    const View h = ops.allocate(x.shape);
    ops.norm(norm1_, x, h);
    qkv_.forward(ops, h, qkv);
  }
  const View q = qkv.columns(0, x.cols()), k = qkv.columns(x.cols(), x.cols()), v = qkv.columns(2 * x.cols(), x.cols());
  if (rotation)
    for (const View& rotated : {q, k})
      ops.rope(rotation->rope, rotation->positions, rotated, attention_.num_heads, attention_.head_dim);
  const View context = ops.allocate(x.shape);
  ops.attention(attention_, std::array{AttentionSpan{0, x.rows(), 0, x.rows()}}, q, k, v, context);
  out_.forward(ops, context, x, x);
}

}  // namespace frugal
