// The list of tensors that a plan states (model/nn/architecture.h), written as the layers that they belong to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/format/checkpoint.h"
#include "model/nn/architecture.h"

namespace frugal {

/// A tensor or a layer under its three names. A checkpoint's are without ".weight" or ".bias"; empty where that format
/// does not have it.
struct TensorNames {
  std::string pack;
  std::string huggingface;
  std::string gguf;
};

class TensorTable {
 public:
  enum class Bias { none, optional, required };

  /// `huggingface_prefixes`: what the names of a folder may begin with, in the order in which they are tried.
  explicit TensorTable(std::vector<std::string> huggingface_prefixes = {""});

  /// From here on all names begin with these: "layers.0.", "encoder.layer.0.", "blk.0.". Empty ones end a layer.
  void enter(TensorNames layer = {});
  /// A table that is looked up by row: [rows, features], in the pack under exactly its name there.
  void embedding(const TensorNames& names, int64_t rows, int64_t features, TensorRole role = TensorRole::embedding);
  /// Weight [outputs, inputs] and bias [outputs], in the pack as `pack`.weight and `pack`.bias. unpermute_heads: of
  /// both (TensorSpec).
  void linear(const TensorNames& names, int64_t outputs, int64_t inputs, Bias bias, int64_t unpermute_heads = 0);
  /// Weight [features], and a bias of the same shape where there has to be one.
  void norm(const TensorNames& names, int64_t features, Bias bias = Bias::none);
  /// fp32 values [count] that a checkpoint may have, in the pack under exactly their name there.
  void optional_vector(const TensorNames& names, int64_t count);

  /// Rows of a table that no hyper-parameter gives. Throws Error(bad_input) naming the tensor if it is not there.
  int64_t rows_in(const Checkpoint& checkpoint, const TensorNames& names) const;
  std::vector<TensorSpec> take() && { return std::move(tensors_); }

 private:
  std::vector<std::string> sources(const TensorNames& names, const std::string& suffix) const;
  void add_bias(const TensorNames& names, int64_t features, Bias bias, int64_t unpermute_heads);

  std::vector<std::string> prefixes_;
  TensorNames layer_;
  std::vector<TensorSpec> tensors_;
};

}  // namespace frugal
