// Builds the list of tensors of a ModelPlan (model/nn/architecture.h) from layers: embeddings, linear layers, norms.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/format/checkpoint.h"
#include "model/nn/architecture.h"

namespace frugal {

/// The names of a tensor or a layer. Those in checkpoints lack ".weight" and ".bias", and are empty if the format does
/// not have the tensor.
struct TensorNames {
  std::string pack;
  std::string huggingface;
  std::string gguf;
};

class TensorTable {
 public:
  enum class Bias { none, optional, required };

  /// Names in a Hugging Face folder may begin with any of these prefixes, tried in this order.
  explicit TensorTable(std::vector<std::string> huggingface_prefixes = {""});

  /// Begins a layer: these prefixes, such as "layers.0.", "encoder.layer.0." and "blk.0.", precede all names that
  /// follow. Without an argument it ends the layer.
  void enter(TensorNames layer = {});
  /// Adds a table [rows, features] that is looked up by row. In the pack its name has no suffix.
  void embedding(const TensorNames& names, int64_t rows, int64_t features, TensorRole role = TensorRole::embedding);
  /// Adds a weight [outputs, inputs] and a bias [outputs], in the pack `pack`.weight and `pack`.bias. unpermute_heads
  /// (TensorSpec) applies to both.
  void linear(const TensorNames& names, int64_t outputs, int64_t inputs, Bias bias, int64_t unpermute_heads = 0);
  /// Adds a weight [features] and a bias [features].
  void norm(const TensorNames& names, int64_t features, Bias bias = Bias::none);
  /// Adds a weight [features], whose values in the checkpoint lack `offset` (TensorSpec).
  void offset_norm(const TensorNames& names, int64_t features, float offset);
  /// Adds a weight [outputs · inputs] and a bias [outputs] that stay in fp32, for a head that is too small to quantise.
  void exact(const TensorNames& names, int64_t outputs, int64_t inputs);
  /// Adds a table [rows, features] that stays in fp32, to be read by ModelSource::embedding(). Its names have no suffix
  /// in checkpoints either: "bias.weight".
  void exact_rows(const TensorNames& names, int64_t rows, int64_t features, bool optional = false);
  /// Adds fp32 values [count] that a checkpoint may lack. In the pack their name has no suffix.
  void optional_vector(const TensorNames& names, int64_t count);

  /// Rows of a table in the checkpoint, for a size that no hyper-parameter gives. Throws Error(bad_input) naming the
  /// tensor if it is missing.
  int64_t rows_in(const Checkpoint& checkpoint, const TensorNames& names) const;
  /// Whether the checkpoint has the weight.
  bool is_in(const Checkpoint& checkpoint, const TensorNames& names) const;
  std::vector<TensorSpec> take() && { return std::move(tensors_); }

 private:
  std::vector<std::string> sources(const TensorNames& names, const std::string& suffix) const;
  void add_bias(const TensorNames& names, int64_t features, Bias bias, int64_t unpermute_heads);

  std::vector<std::string> prefixes_;
  TensorNames layer_;
  std::vector<TensorSpec> tensors_;
};

}  // namespace frugal
