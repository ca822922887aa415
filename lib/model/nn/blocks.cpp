#include "model/nn/blocks.h"

#include <fmt/format.h>

#include "base/error.h"

namespace frugal {

Activation parse_activation(std::string_view name) {
  if (name == "gelu") return Activation::gelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast") return Activation::gelu_tanh;
  if (name == "quick_gelu") return Activation::quick_gelu;
  if (name == "silu" || name == "swish") return Activation::silu;
  if (name == "relu") return Activation::relu;
  if (name == "tanh") return Activation::tanh;
  throw Error(Code::bad_input, fmt::format("unknown activation '{}'", name))
      .hint("known: gelu, gelu_new, quick_gelu, silu, relu, tanh");
}

void Linear::forward(Ops& ops, View x, View out, View residual) const {
  if (!factored()) return ops.linear(last_, x, out, residual);
  const Ops::Scope scratch(ops);
  const View inner = ops.allocate(Shape{x.rows(), v_.weight.outputs});
  ops.linear(v_, x, inner);
  ops.linear(last_, inner, out, residual);
}

LinearGroup::LinearGroup(std::vector<Linear> layers) : layers_(std::move(layers)) {
  for (const Linear& layer : layers_) {
    first_.push_back(layer.first());
    factored_ |= layer.factored();
  }
}

void LinearGroup::forward(Ops& ops, View x, std::span<const View> outs) const {
  if (factored_) return forward_factored(ops, x, outs);
  ops.linear_many(first_, x, outs);
}

void LinearGroup::forward_factored(Ops& ops, View x, std::span<const View> outs) const {
  const Ops::Scope scratch(ops);
  std::vector<View> inner(outs.begin(), outs.end());
  for (size_t i = 0; i < layers_.size(); ++i)
    if (layers_[i].factored()) inner[i] = ops.allocate(Shape{x.rows(), layers_[i].first().weight.outputs});
  ops.linear_many(first_, x, inner);
  for (size_t i = 0; i < layers_.size(); ++i)
    if (layers_[i].factored()) ops.linear(layers_[i].last(), inner[i], outs[i]);
}

// The normalised input is dead before the second product.
void NormedMlp::forward(Ops& ops, View x) const {
  const Ops::Scope scope(ops);
  const View inner = ops.allocate(Shape{x.rows(), up_.outputs()});
  {
    const Ops::Scope normed(ops);
    const View h = ops.allocate(x.shape);
    ops.norm(norm_, x, h);
    up_.forward(ops, h, inner);
  }
  down_.forward(ops, inner, x, x);
}

void normalise_heads(Ops& ops, const NormSpec& norm, View x) {
  if (norm.gamma.empty()) return;
  const auto features = static_cast<int64_t>(norm.gamma.size());
  const View heads(x.data, x.dtype, Shape{x.shape.elements() / features, features});
  ops.norm(norm, heads, heads);
}

namespace {

// Row by row, so that only the blocks of one row are pinned at a time.
void embed_paged(Ops& ops, const EmbeddingTable& table, std::span<const int32_t> ids, View out, bool accumulate) {
  for (size_t t = 0; t < ids.size(); ++t) {
    const Pager::Pin pin = table.pager->pin(table.rows.row_bytes(ids[t]), Pager::Use::random);
    ops.embed(table.rows, table.scales, ids.subspan(t, 1), out.slice_rows(static_cast<int64_t>(t), 1), accumulate);
  }
}

}  // namespace

void embed(Ops& ops, const EmbeddingTable& table, std::span<const int32_t> ids, View out, bool accumulate) {
  if (table.pager) return embed_paged(ops, table, ids, out, accumulate);
  if (!table.packed) return ops.embed(table.rows, table.scales, ids, out, accumulate);
  if (!accumulate) return ops.embed(table.packed, ids, out);
  const Ops::Scope scratch(ops);
  const View rows = ops.allocate(out.shape);
  ops.embed(table.packed, ids, rows);
  ops.add(out, rows, out);
}

WeightLoader::WeightLoader(const ModelSource& source, Ops& ops) : source_(source), ops_(ops) {
  const auto scales = source.config().text(kActivationScalesKey);
  if (!scales) return;
  if (*scales != "grouped") source.config().fail(fmt::format("unknown {} '{}'", kActivationScalesKey, *scales));
  scales_ = ActivationScales::grouped;
}

Linear WeightLoader::linear(const std::string& name, int64_t outputs, int64_t inputs, ActivationScales scales,
                            Activation activation) const {
  const std::string tensor = name + ".weight";
  LinearSpec spec;
  if (source_.has(name + ".bias")) spec.bias = source_.vector(name + ".bias", outputs);
  spec.activation = activation;
  spec.scales = scales_.value_or(scales);
  const int64_t rank = source_.rank(tensor);
  if (rank == 0) {
    spec.weight = source_.linear(tensor, outputs, inputs, ops_);
    return Linear(spec);
  }
  LinearSpec v;
  v.weight = source_.linear(tensor + ".v", rank, inputs, ops_);
  v.scales = spec.scales;
  spec.weight = source_.linear(tensor + ".u", outputs, rank, ops_);
  return Linear(v, spec);
}

NormSpec WeightLoader::norm(const std::string& name, NormKind kind, int64_t features, double epsilon) const {
  NormSpec spec;
  spec.kind = kind;
  spec.gamma = source_.vector(name + ".weight", features);
  if (source_.has(name + ".bias")) spec.beta = source_.vector(name + ".bias", features);
  spec.epsilon = static_cast<float>(epsilon);
  return spec;
}

}  // namespace frugal
