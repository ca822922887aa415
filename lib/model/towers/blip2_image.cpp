#include "model/towers/blip2_image.h"

#include <fmt/format.h>

#include "base/error.h"
#include "model/nn/config_reader.h"
#include "model/nn/hyper_field.h"
#include "model/nn/image_config.h"

namespace frugal {
namespace {

using V = Blip2VisionConfig;
constexpr HyperField<V> kVisionFields[] = {
    {"layers", {"num_hidden_layers", ""}, &V::layers, {1, 1024}, 39.0},
    {"hidden", {"hidden_size", ""}, &V::hidden, {1, 1 << 20}, 1408.0},
    {"heads", {"num_attention_heads", ""}, &V::heads, {1, 1024}, 16.0},
    {"intermediate", {"intermediate_size", ""}, &V::intermediate, {1, 1 << 22}, 6144.0},
    {"size", {"image_size", ""}, &V::size, {1, 4096}, 224.0},
    {"patch", {"patch_size", ""}, &V::patch, {1, 1024}, 14.0},
    {"epsilon", {"layer_norm_eps", ""}, &V::epsilon, {0, 1}, 1e-6},
    {"activation", {"hidden_act", ""}, &V::activation, {}, "gelu"},
};
constexpr HyperTable<V> kVision("blip2.image", kVisionFields);

using Q = QFormerConfig;
constexpr HyperField<Q> kQFormerFields[] = {
    {"layers", {"num_hidden_layers", ""}, &Q::layers, {1, 1024}, 12.0},
    {"hidden", {"hidden_size", ""}, &Q::hidden, {1, 1 << 20}, 768.0},
    {"heads", {"num_attention_heads", ""}, &Q::heads, {1, 1024}, 12.0},
    {"intermediate", {"intermediate_size", ""}, &Q::intermediate, {1, 1 << 22}, 3072.0},
    {"cross_every", {"cross_attention_frequency", ""}, &Q::cross_every, {1, 1024}, 2.0},
    {"queries", {}, &Q::queries, {1, 4096}},
    {"epsilon", {"layer_norm_eps", ""}, &Q::epsilon, {0, 1}, 1e-12},
    {"activation", {"hidden_act", ""}, &Q::activation, {}, "gelu"},
};
constexpr HyperTable<Q> kQFormer("blip2.qformer", kQFormerFields);

constexpr int64_t kMaxQueries = 4096;

// What is wrong with the configuration of a checkpoint or of a pack; empty if nothing is.
std::string fault_of(const Blip2VisionConfig& vision, const QFormerConfig& qformer) {
  if (vision.hidden % vision.heads != 0)
    return fmt::format("hidden size {} of images is not a multiple of {} heads", vision.hidden, vision.heads);
  if (qformer.hidden % qformer.heads != 0)
    return fmt::format("hidden size {} of queries is not a multiple of {} heads", qformer.hidden, qformer.heads);
  if (vision.patch > vision.size) return fmt::format("patches of {} pixels in images of {}", vision.patch, vision.size);
  return {};
}

}  // namespace

Blip2Image::Configs Blip2Image::read_configs(const ModelConfig& pack) {
  Configs configs{kVision.read(pack), kQFormer.read(pack)};
  if (const std::string fault = fault_of(configs.vision, configs.qformer); !fault.empty()) pack.fail(fault);
  return configs;
}

Blip2Image::Blip2Image(const ModelSource& source, Ops& ops, int64_t language_hidden)
    : Blip2Image(source, ops, language_hidden, read_configs(source.config())) {}

Blip2Image::Blip2Image(const ModelSource& source, Ops& ops, int64_t language_hidden, const Configs& configs)
    : queries_{configs.qformer.queries, configs.qformer.hidden},
      vision_(source, ops, configs.vision),
      qformer_(source, ops, configs.qformer, configs.vision.hidden),
      projection_(WeightLoader(source, ops)
                      .linear("projection", language_hidden, configs.qformer.hidden, ActivationScales::per_token)) {}

View Blip2Image::read(Ops& ops, const RgbImage& image, Budget& budget) const {
  const View queries = ops.allocate(queries_);
  const Ops::Scope seeing(ops);
  const View seen = ops.allocate(Shape{vision_.tokens(), vision_.hidden()});
  vision_.encode(ops, image, budget, seen);
  qformer_.read(ops, seen, queries);
  return queries;
}

void plan_blip2_image(const Checkpoint& checkpoint, int64_t language_hidden, TensorTable& table,
                      std::map<std::string, std::string>& keys) {
  const Blip2VisionConfig vision = kVision.read(ConfigReader(checkpoint, "vision_config."));
  QFormerConfig qformer = kQFormer.read(ConfigReader(checkpoint, "qformer_config."));
  qformer.queries = ConfigReader(checkpoint).integer({"num_query_tokens", ""}, 1, kMaxQueries, 32);
  for (const std::string& activation : {vision.activation, qformer.activation}) parse_activation(activation);
  if (const std::string fault = fault_of(vision, qformer); !fault.empty()) throw Error(Code::bad_input, fault);
  kVision.write(vision, keys);
  kQFormer.write(qformer, keys);
  if (!gives_squares(plan_image_processor(checkpoint, keys), vision.size))
    throw Error(Code::bad_input, fmt::format("the image processor does not give images of {0} × {0} pixels, which the "
                                             "model takes",
                                             vision.size))
        .hint("use the preprocessor_config.json that the model was published with");
  list_blip2_vision(table, vision);
  list_qformer(table, qformer, vision.hidden);
  table.linear({"projection", "language_projection", ""}, language_hidden, qformer.hidden, TensorTable::Bias::required);
}

}  // namespace frugal
