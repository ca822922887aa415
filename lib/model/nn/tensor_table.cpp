#include "model/nn/tensor_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace frugal {

TensorTable::TensorTable(std::vector<std::string> huggingface_prefixes) : prefixes_(std::move(huggingface_prefixes)) {}

void TensorTable::enter(TensorNames layer) {
  layer_ = std::move(layer);
}

std::vector<std::string> TensorTable::sources(const TensorNames& names, const std::string& suffix) const {
  std::vector<std::string> result;
  if (!names.huggingface.empty())
    for (const std::string& prefix : prefixes_)
      result.push_back(fmt::format("{}{}{}{}", prefix, layer_.huggingface, names.huggingface, suffix));
  if (!names.gguf.empty()) result.push_back(layer_.gguf + names.gguf + suffix);
  return result;
}

void TensorTable::embedding(const TensorNames& names, int64_t rows, int64_t features, TensorRole role) {
  tensors_.push_back({layer_.pack + names.pack, sources(names, ".weight"), role, Shape{rows, features}, false, 0});
}

void TensorTable::linear(const TensorNames& names, int64_t outputs, int64_t inputs, Bias bias,
                         int64_t unpermute_heads) {
  tensors_.push_back({layer_.pack + names.pack + ".weight", sources(names, ".weight"), TensorRole::linear,
                      Shape{outputs, inputs}, false, unpermute_heads});
  add_bias(names, outputs, bias, unpermute_heads);
}

void TensorTable::norm(const TensorNames& names, int64_t features, Bias bias) {
  tensors_.push_back(
      {layer_.pack + names.pack + ".weight", sources(names, ".weight"), TensorRole::vector, Shape{features}, false, 0});
  add_bias(names, features, bias, 0);
}

void TensorTable::offset_norm(const TensorNames& names, int64_t features, float offset) {
  norm(names, features);
  tensors_.back().offset = offset;
}

void TensorTable::exact(const TensorNames& names, int64_t outputs, int64_t inputs) {
  norm(names, outputs * inputs);
  add_bias(names, outputs, Bias::required, 0);
}

void TensorTable::exact_rows(const TensorNames& names, int64_t rows, int64_t features, bool optional) {
  tensors_.push_back(
      {layer_.pack + names.pack, sources(names, ""), TensorRole::vector, Shape{rows, features}, optional, 0});
}

void TensorTable::add_bias(const TensorNames& names, int64_t features, Bias bias, int64_t unpermute_heads) {
  if (bias == Bias::none) return;
  tensors_.push_back({layer_.pack + names.pack + ".bias", sources(names, ".bias"), TensorRole::vector, Shape{features},
                      bias == Bias::optional, unpermute_heads});
}

void TensorTable::optional_vector(const TensorNames& names, int64_t count) {
  tensors_.push_back({layer_.pack + names.pack, sources(names, ".weight"), TensorRole::vector, Shape{count}, true, 0});
}

bool TensorTable::is_in(const Checkpoint& checkpoint, const TensorNames& names) const {
  const std::vector<std::string> known = sources(names, ".weight");
  return std::any_of(known.begin(), known.end(), [&](const auto& name) { return checkpoint.find(name) != nullptr; });
}

int64_t TensorTable::rows_in(const Checkpoint& checkpoint, const TensorNames& names) const {
  const std::vector<std::string> known = sources(names, ".weight");
  for (const std::string& name : known)
    if (const SourceTensor* tensor = checkpoint.find(name)) return tensor->shape[0];
  throw Error(Code::bad_input, fmt::format("the checkpoint lacks the tensor '{}'",
                                           checkpoint.format() == "gguf" ? known.back() : known.front()));
}

}  // namespace frugal
