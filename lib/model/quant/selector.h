// The compression selector (--dtype auto). It measures every way to store every tensor, then chooses one for each, so
// that the whole model stays near full precision. selector.cpp describes the steps; docs/design/0018 has the reasons
// and the figures.
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
#include "model/verify/verify.h"

namespace frugal {

/// Limits on the whole model's loss (Verification::loss): the choice aims at the target, and a pack above the ceiling
/// is not published.
inline constexpr double kLossTarget = 0.005;
inline constexpr double kLossCeiling = 0.02;

struct SelectorOptions {
  std::filesystem::path input;   // named by errors about the checkpoint
  std::filesystem::path output;  // temporary files are written beside it
  bool allow_requantize = false;
  int threads = 1;
  uint64_t work_bytes = 0;            // limit on the buffers while candidates are written
  uint64_t structure_work_bytes = 0;  // limit on the matrices while spectra are computed
  std::vector<std::string_view> calibration_texts, verify_texts;
  Backend verify_backend;
  std::map<std::string, std::string> config, blobs;  // of the pack that will be made
  std::function<void(std::string_view stage, double share)> progress;
};

/// The choice, with the measurements behind it.
struct Selection {
  AutoTarget target = AutoTarget::size;
  double loss_limit = 0;  // the limit on the assembled model's loss
  uint64_t tensor_bytes = 0, int8_tensor_bytes = 0;
  Verification chosen, int8;  // the chosen model, and the one of --dtype int8, on the same text
  /// Activations of the chosen model have a scale for each group of inputs; false: one for each token, as with int8.
  bool grouped_activations = true;
  int rounds = 0;       // number of assembled models that were measured
  std::string summary;  // how the choice was made, in one sentence
  std::vector<TensorCandidates> tensors;
};

class CompressionSelector {
 public:
  /// Borrows checkpoint, model and recipe.
  CompressionSelector(const Checkpoint& checkpoint, const ModelPlan& model, const Recipe& recipe,
                      SelectorOptions options);
  ~CompressionSelector();

  /// Measures and chooses. Throws as writing packs and running models do.
  void select();
  const Selection& selection() const { return selection_; }
  /// The plan of the chosen pack, in the model's order.
  TensorPlan plan() const;
  /// Copies the chosen tensors from the temporary packs. `writer` must have been made for writer_plan(plan()).
  void copy_to(PackWriter& writer) const;
  /// Compares the finished pack with full precision on the verification text. Only after select().
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
  double cost_of(const std::vector<size_t>& chosen) const;
  double measure_choice(const std::vector<size_t>& chosen, bool grouped_activations = true);
  void prefer_int8(const std::vector<size_t>& int8);
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

/// The tensors of a plan as a PackWriter takes them: a job stored as factors becomes two tensors, ".v" and ".u".
std::vector<PackWriter::Plan> writer_plan(const TensorPlan& plan);

}  // namespace frugal
