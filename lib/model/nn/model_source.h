// The source of an architecture's configuration, tokenizer and weights: a pack, used in place, or a checkpoint, read
// whole and in full precision (open_checkpoint_source in model/arch/registry.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "compute/ops/ops.h"
#include "model/format/checkpoint.h"
#include "model/format/model_config.h"
#include "model/format/pack.h"

namespace frugal {

/// A table that is looked up by row: `rows` in f32, f16 or i8, or `packed` in a linear type.
struct EmbeddingTable {
  ConstView rows;
  std::span<const float> scales;  // [rows], for i8
  Weight packed;                  // set if `rows` is not
  Pager* pager = nullptr;         // if set, `rows` are read under its pins
};

/// Weights and tables point into the source, which must outlive the models that are opened from it. A tensor that is
/// missing or has another shape is Error(corrupt_file) in a pack and Error(bad_input) in a checkpoint, with the names
/// of file and tensor.
class ModelSource {
 public:
  virtual ~ModelSource() = default;
  virtual const std::filesystem::path& path() const = 0;
  virtual const ModelConfig& config() const = 0;
  virtual std::span<const std::byte> tokenizer() const = 0;
  /// Identifies the model's content.
  virtual std::string_view identity() const = 0;

  virtual bool has(std::string_view tensor) const = 0;
  /// A weight [outputs, inputs], prepared for `ops`.
  virtual Weight linear(std::string_view tensor, int64_t outputs, int64_t inputs, Ops& ops) const = 0;
  virtual std::span<const float> vector(std::string_view tensor, int64_t count) const = 0;
  virtual EmbeddingTable embedding(std::string_view tensor, int64_t rows, int64_t features, Ops& ops) const = 0;
  /// Rank of a weight [outputs, inputs] that is stored as two factors, `tensor`.u [outputs, rank] and
  /// `tensor`.v [rank, inputs]; 0: the weight is stored whole.
  virtual int64_t rank(std::string_view tensor) const {
    static_cast<void>(tensor);
    return 0;
  }
};

/// Borrows `pack`. Models point into the pack, so they may outlive this object but not the pack.
class PackSource final : public ModelSource {
 public:
  explicit PackSource(const Pack& pack) : pack_(pack) {}
  const std::filesystem::path& path() const override { return pack_.path(); }
  const ModelConfig& config() const override { return pack_; }
  std::span<const std::byte> tokenizer() const override { return pack_.blob("tokenizer"); }
  std::string_view identity() const override { return pack_.identity(); }
  bool has(std::string_view tensor) const override { return pack_.find(tensor).has_value(); }
  Weight linear(std::string_view tensor, int64_t outputs, int64_t inputs, Ops& ops) const override;
  std::span<const float> vector(std::string_view tensor, int64_t count) const override;
  EmbeddingTable embedding(std::string_view tensor, int64_t rows, int64_t features, Ops& ops) const override;
  int64_t rank(std::string_view tensor) const override;

 private:
  const Pack& pack_;
};

}  // namespace frugal
