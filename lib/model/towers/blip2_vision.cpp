#include "model/towers/blip2_vision.h"

#include <fmt/format.h>

namespace frugal {

Blip2Vision::Blip2Vision(const ModelSource& source, Ops& ops, const Blip2VisionConfig& c)
    : patches_(c.patches()), input_(source, WeightLoader(source, ops), ops, patches_) {
  const WeightLoader load(source, ops);
  const VisionLayerConfig layer{c.hidden, c.heads, c.intermediate, c.epsilon, c.activation};
  for (int64_t i = 0; i < c.layers; ++i) layers_.emplace_back(load, layer, i);
  norm_ = load.norm("image.norm", NormKind::layer, c.hidden, c.epsilon);
}

void Blip2Vision::encode(Ops& ops, const RgbImage& image, Budget& budget, View x) const {
  input_.embed(ops, image, budget, x);
  for (const VisionLayer& layer : layers_) layer.forward(ops, x);
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
