// The candidates: every form in which a tensor may be stored, all of them in one temporary pack, and models that are
// assembled from them. Candidates lie in a mapped file, so only the pages in use are resident and the choice stays
// within the memory limit.
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

/// `int8_grouped` has a scale for each group of inputs, `int8` one for each output. `block_sparse` is evaluated but
/// never chosen, since no kernel skips zero blocks (docs/design/0018).
enum class CandidateKind { int8, int8_grouped, int4, fp16, fp32, low_rank, block_sparse };
std::string_view to_string(CandidateKind kind);

/// One way to store one tensor. A figure that was not measured is nullopt.
struct StorageOption {
  CandidateKind kind = CandidateKind::fp32;
  DType dtype = DType::f32;
  uint64_t bytes = 0;                  // in the pack, scales included
  int64_t rank = 0;                    // low_rank only
  std::optional<double> weight_error;  // sqrt(Σ error² / Σ w²)
  /// sqrt(Σ error² / Σ y²) over the layer's outputs y on the calibration text. Measured with the kernels that would run
  /// it, so rounding of activations is included.
  std::optional<double> output_error;
  std::optional<double> decode_us;   // measured time for one row
  std::optional<double> batch_us;    // measured time for each row of a batch
  std::optional<double> model_loss;  // predicted contribution to the whole model's loss
  bool eligible = true;              // may be chosen
  std::string verdict;               // why it was chosen, or why not

  /// The error that decides: the one of the outputs if it was measured, else the one of the weights.
  double error() const { return output_error.value_or(weight_error.value_or(0)); }
};

struct TensorCandidates {
  TensorSpec spec;
  const SourceTensor* source = nullptr;  // borrowed from the checkpoint
  std::vector<StorageOption> candidates;
  size_t chosen = 0;
  std::optional<double> sensitivity;  // the whole model's loss divided by this tensor's squared error
  std::string note;                   // why some candidates were not evaluated

  const StorageOption* find(CandidateKind kind) const;
  const StorageOption& choice() const { return candidates[chosen]; }
};

/// Lists every weight of the plan with its candidates, in the model's order; vectors are not listed. If a rule of the
/// recipe matches a tensor, only the candidate of the rule's type is eligible. Throws as plan_tensors().
std::vector<TensorCandidates> list_candidates(const Checkpoint& checkpoint, const ModelPlan& model,
                                              const Recipe& recipe, bool allow_requantize);

/// The name of a candidate in its temporary pack. A low-rank one is two tensors, with ".u" and ".v" appended
/// (model/nn/model_source.h).
std::string stored_name(std::string_view tensor, CandidateKind kind);

/// The plan of the temporary pack: one job for each candidate that is stored whole, then one for each vector under its
/// own name.
TensorPlan candidate_jobs(const Checkpoint& checkpoint, const ModelPlan& model,
                          std::span<const TensorCandidates> tensors);

/// A model assembled from candidates: `kinds[i]` of `tensors[i]`. Borrows the packs and the tensors.
class AssembledSource final : public ModelSource {
 public:
  /// factors: the pack with the low-rank candidates; null if there are none. grouped: activations have a scale for each
  /// group of inputs; false: the architecture's default.
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
  // The pack's configuration, with the activation scales overridden.
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
