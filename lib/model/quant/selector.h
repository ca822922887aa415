// The compression selector (--dtype auto): measures every way to store every tensor, then chooses such that the whole
// model stays near full precision. docs/design/0018 has the method and its figures.
//
//   1. every candidate of every tensor is written to one temporary pack (model/quant/storage_options.h);
//   2. spectra say whether a product of thin factors would do, block norms whether zero blocks would;
//   3. layers run over the calibration text with each candidate (model/quant/calibration.h): error and time;
//   4. where the coarsest choice does not hold, the model runs once for each tensor to learn its weight in the whole;
//   5. bits are dealt out (model/quant/allocate.h), the assembled model is measured on another text, and the allowance
//   is
//      corrected by what that shows, a few times over.
//
// Times are reported and decide nothing: the same source and recipe must make the same bytes. The target `speed` goes
// by a cost model with fixed constants instead.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/format/checkpoint.h"
#include "model/format/pack.h"
#include "model/quant/storage_options.h"
#include "model/quant/verify.h"

namespace frugal {

/// How far the whole model may be from full precision (Verification::loss): what is striven for, and beyond which
/// nothing is published.
inline constexpr double kLossTarget = 0.005;
inline constexpr double kLossCeiling = 0.02;

struct SelectorOptions {
  std::filesystem::path output;  // temporary files lie beside it
  bool allow_requantize = false;
  int threads = 1;
  uint64_t work_bytes = 0;      // buffers while candidates are written
  uint64_t structure_work_bytes = 0;  // matrices while spectra are looked at
  std::vector<std::string_view> calibration_texts, verify_texts;
  Backend verify_backend;
  std::map<std::string, std::string> config, blobs;  // of the pack to be
  std::function<void(std::string_view stage, double share)> progress;
};

/// What was chosen and on what grounds.
struct Selection {
  AutoTarget target = AutoTarget::size;
  double loss_limit = 0;  // that the choice was held to
  uint64_t tensor_bytes = 0, int8_tensor_bytes = 0;
  Verification chosen, int8;  // int8: what --dtype int8 would have made, on the same text
  int rounds = 0;             // assembled models that were measured
  std::string summary;        // how the choice came about, in a sentence
  std::vector<TensorCandidates> tensors;
};

class CompressionSelector {
 public:
  /// Borrows checkpoint, model and recipe.
  CompressionSelector(const Checkpoint& checkpoint, const ModelPlan& model, const Recipe& recipe,
                      SelectorOptions options);
  ~CompressionSelector();

  /// Throws what writing packs and running models throws.
  void select();
  const Selection& selection() const { return selection_; }
  /// The tensors as chosen, in the model's order.
  TensorPlan plan() const;
  /// Writes the chosen tensors to a pack made for writer_plan(plan()).
  void copy_to(PackWriter& writer) const;
  /// The finished pack against full precision on the verification text.
  Verification verify(const Pack& pack, const std::function<void(double share)>& progress);

 private:
  void write_candidates();
  void evaluate_structure();
  void write_factors();
  void measure_layers();
  void measure_sensitivities();
  void choose();
  std::optional<std::vector<size_t>> lossless_choice() const;
  void choose_within(double limit);
  void choose_best_in_int8_bytes();
  void explain();

  AssembledSource assemble(std::vector<CandidateKind> kinds, bool grouped) const;
  std::vector<CandidateKind> int8_kinds() const;
  std::vector<size_t> int8_where_eligible() const;
  double measure_choice(const std::vector<size_t>& chosen);
  void report_progress(std::string_view stage, double share) const;

  const Checkpoint& checkpoint_;
  const ModelPlan& model_;
  const Recipe& recipe_;
  SelectorOptions options_;
  Selection selection_;
  std::unique_ptr<PackWriter> whole_writer_, factors_writer_;
  std::optional<Pack> whole_, factors_;
  std::unique_ptr<QualityMeter> meter_;
};

/// What a PackWriter is to be made for: factors are two tensors.
std::vector<PackWriter::Plan> writer_plan(const TensorPlan& plan);

}  // namespace frugal
