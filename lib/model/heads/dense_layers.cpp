#include "model/heads/dense_layers.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/error.h"
#include "model/format/flat_json.h"
#include "model/format/sentence_modules.h"
#include "model/nn/tensor_table.h"

namespace frugal {
namespace {

constexpr int64_t kMaxFeatures = 1 << 20;
constexpr int kMaxLayers = 16;

std::string name_of(int layer) {
  return fmt::format("embed.dense.{}", layer);
}
std::string outputs_key(int layer) {
  return name_of(layer) + ".outputs";
}
std::string activation_key(int layer) {
  return name_of(layer) + ".activation";
}

// The config.json of a Dense module.
class DenseConfig {
 public:
  DenseConfig(const Checkpoint& checkpoint, const SentenceModule& module) : file_(module.file("config.json")) {
    const auto side = checkpoint.side_file(file_);
    if (!side) throw Error(Code::bad_input, fmt::format("'{}' is missing; {} names it", file_, kModulesFile));
    fields_ = FlatJson(*side, file_);
    if (fields_.integer("use_residual").value_or(0) != 0) fail("'use_residual' is set, which is not supported");
    for (const char* key : {"module_input_name", "module_output_name"})
      if (const auto name = fields_.text(key); name && *name != "sentence_embedding")
        fail(fmt::format("'{}' is '{}', and only sentence_embedding is supported", key, *name));
  }

  int64_t features(std::string_view key) const {
    const auto value = fields_.integer(key);
    if (!value) fail(fmt::format("'{}' is missing", key));
    if (*value < 1 || *value > kMaxFeatures)
      fail(fmt::format("'{}' is {}, outside [1, {}]", key, *value, kMaxFeatures));
    return *value;
  }
  bool has_bias() const { return fields_.integer("bias").value_or(1) != 0; }
  // sentence-transformers' default is Tanh.
  std::string activation() const {
    const std::string type = fields_.text("activation_function").value_or("Tanh");
    const std::string name = type.substr(type.rfind('.') + 1);
    if (name == "Identity") return "none";
    if (name == "Tanh") return "tanh";
    throw Error(Code::bad_input, fmt::format("{}: unknown 'activation_function' '{}'", file_, type))
        .hint("known: Tanh, Identity");
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Code::bad_input, fmt::format("{}: {}", file_, what));
  }

 private:
  std::string file_;
  FlatJson fields_;
};

void require_weights(const Checkpoint& checkpoint, const SentenceModule& module, int64_t outputs, int64_t inputs) {
  const SourceTensor* weight = checkpoint.find(module.file("linear.weight"));
  if (!weight)
    throw Error(Code::bad_input, fmt::format("the folder '{}' has no 'linear.weight' in a model.safetensors or "
                                             "pytorch_model.bin",
                                             module.folder))
        .hint("fetch all files of the model");
  if (weight->shape != Shape{outputs, inputs})
    throw Error(Code::bad_input, fmt::format("'{}' is {}, {} says {}", weight->name, weight->shape.to_string(),
                                             module.file("config.json"), Shape{outputs, inputs}.to_string()));
}

}  // namespace

int64_t plan_dense_layers(const Checkpoint& checkpoint, int64_t inputs, ModelPlan& plan) {
  TensorTable table;
  int layer = 0;
  for (const SentenceModule& module : read_modules(checkpoint)) {
    if (module.kind != "Dense") continue;
    const DenseConfig config(checkpoint, module);
    const int64_t outputs = config.features("out_features");
    if (config.features("in_features") != inputs)
      config.fail(
          fmt::format("'in_features' is {}, the layer before it gives {}", config.features("in_features"), inputs));
    require_weights(checkpoint, module, outputs, inputs);
    table.linear({name_of(layer), module.file("linear"), ""}, outputs, inputs,
                 config.has_bias() ? TensorTable::Bias::required : TensorTable::Bias::none);
    plan.config[outputs_key(layer)] = std::to_string(outputs);
    plan.config[activation_key(layer)] = config.activation();
    inputs = outputs;
    ++layer;
  }
  for (TensorSpec& spec : std::move(table).take()) plan.tensors.push_back(std::move(spec));
  return inputs;
}

DenseLayers::DenseLayers(const ModelSource& source, Ops& ops, int64_t inputs) : outputs_(inputs) {
  const WeightLoader load(source, ops);
  const ModelConfig& config = source.config();
  for (int layer = 0; layer < kMaxLayers && config.text(outputs_key(layer)); ++layer) {
    const int64_t outputs = config.require_int(outputs_key(layer), 1, kMaxFeatures);
    const std::string_view activation = config.require_text(activation_key(layer));
    layers_.push_back(load.linear(name_of(layer), outputs, outputs_, ActivationScales::per_token,
                                  activation == "none" ? Activation::none : parse_activation(activation)));
    outputs_ = outputs;
  }
}

View DenseLayers::forward(Ops& ops, View x) const {
  for (const Linear& layer : layers_) {
    const View out = ops.allocate(Shape{x.rows(), layer.outputs()});
    layer.forward(ops, x, out);
    x = out;
  }
  return x;
}

}  // namespace frugal
