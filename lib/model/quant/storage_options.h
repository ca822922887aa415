// What each tensor of a model may become, all of it written to one temporary pack, and models put together of it.
// Holding the candidates in a file keeps the choice within the memory limit: only the pages in use are resident.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/format/pack.h"
#include "model/nn/architecture.h"
#include "model/nn/blocks.h"
#include "model/nn/model_source.h"
#include "model/quant/recipe.h"
#include "model/quant/tensor_plan.h"

namespace frugal {

/// `block_sparse` is evaluated but never chosen: no kernel skips zero blocks (docs/design/0018).
enum class CandidateKind { int8, int8_grouped, int4, fp16, fp32, low_rank, block_sparse };
std::string_view to_string(CandidateKind kind);

/// One way to store one tensor. Unknown figures are absent.
struct StorageOption {
  CandidateKind kind = CandidateKind::fp32;
  DType dtype = DType::f32;
  uint64_t bytes = 0;                  // in the pack, scales included
  int64_t rank = 0;                    // low_rank only
  std::optional<double> weight_error;  // sqrt(Σ error² / Σ w²)
  /// sqrt(Σ error² / Σ y²) over the layer's outputs on the calibration text, by the kernels that would run, which
  /// round activations too.
  std::optional<double> output_error;
  std::optional<double> decode_us;   // measured: one row
  std::optional<double> batch_us;    // measured: a row of a batch
  std::optional<double> model_loss;  // predicted share in the whole model's loss
  bool eligible = true;
  std::string verdict;  // why it was chosen, or why not

  /// What the choice goes by: the outputs' error where it was measured, else the weights'.
  double error() const { return output_error.value_or(weight_error.value_or(0)); }
};

struct TensorCandidates {
  TensorSpec spec;
  const SourceTensor* source = nullptr;  // of the checkpoint, as long as that lives
  std::vector<StorageOption> candidates;
  size_t chosen = 0;
  std::optional<double> sensitivity;  // whole-model loss per squared error of this tensor
  std::string note;                   // why some candidates were not looked at

  const StorageOption* find(CandidateKind kind) const;
  const StorageOption& choice() const { return candidates[chosen]; }
};

/// Every weight of the plan with the ways to store it, in the model's order; vectors have none. A tensor that a rule of
/// the recipe names has that one (and fp32 to measure against). Throws as plan_tensors().
std::vector<TensorCandidates> list_candidates(const Checkpoint& checkpoint, const ModelPlan& model,
                                              const Recipe& recipe, bool allow_requantize);

/// Name of a candidate in the temporary pack; factors have two, with .u and .v (model/nn/model_source.h) for their
/// names.
std::string stored_name(std::string_view tensor, CandidateKind kind);

/// One job for each candidate that is stored whole, and one for each vector under its own name.
TensorPlan candidate_jobs(const Checkpoint& checkpoint, const ModelPlan& model,
                          std::span<const TensorCandidates> tensors);

/// A model put together of candidates: `kinds[i]` of `tensors[i]`. Borrows all.
class AssembledSource final : public ModelSource {
 public:
  /// factors: the pack with the low-rank candidates; null if there are none. Activation scales are `grouped`, or the
  /// architecture's own.
  AssembledSource(const Pack& whole, const Pack* factors, std::span<const TensorCandidates> tensors,
                  std::vector<CandidateKind> kinds, bool grouped);

  const std::filesystem::path& path() const override { return whole_.path(); }
  const ModelConfig& config() const override { return config_; }
  std::span<const std::byte> tokenizer() const override { return whole_.tokenizer(); }
  std::string_view identity() const override { return whole_.identity(); }
  bool has(std::string_view tensor) const override { return kind_of(tensor) || whole_.has(tensor); }
  Weight linear(std::string_view tensor, int64_t outputs, int64_t inputs, Ops& ops) const override;
  std::span<const float> vector(std::string_view tensor, int64_t count) const override {
    return whole_.vector(tensor, count);
  }
  EmbeddingTable embedding(std::string_view tensor, int64_t rows, int64_t features, Ops& ops) const override;
  int64_t rank(std::string_view tensor) const override;

 private:
  // The pack's configuration with the activation scales wanted.
  class Config final : public ModelConfig {
   public:
    Config(const Pack& pack, bool grouped) : pack_(pack), grouped_(grouped) {}
    std::optional<std::string_view> text(std::string_view key) const override {
      if (key == kActivationScalesKey) return grouped_ ? std::optional<std::string_view>("grouped") : std::nullopt;
      return pack_.text(key);
    }
    [[noreturn]] void fail(std::string_view what) const override { pack_.Pack::fail(what); }

   private:
    const Pack& pack_;
    bool grouped_;
  };

  std::optional<CandidateKind> kind_of(std::string_view tensor) const;

  PackSource whole_;
  std::optional<PackSource> factors_;
  std::span<const TensorCandidates> tensors_;
  std::vector<CandidateKind> kinds_;
  Config config_;
};

}  // namespace frugal
