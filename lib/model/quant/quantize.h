// Makes a pack from a published checkpoint: plan, stream, verify, publish. A run is idempotent (an unchanged source and
// recipe need no work), atomic (the output is the old pack or the complete new one) and bounded in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/output_file.h"
#include "model/format/checkpoint.h"
#include "model/nn/architecture.h"
#include "model/quant/recipe.h"
#include "model/quant/selector.h"
#include "model/quant/source_hash.h"
#include "model/quant/tensor_errors.h"
#include "model/quant/tensor_plan.h"
#include "model/verify/verify.h"

namespace frugal {

/// Called from time to time with the stage ("quantising", "writing fp32 to compare with") and the source bytes that it
/// has processed; from any thread, one call at a time.
using QuantizeProgress = std::function<void(std::string_view stage, uint64_t done_bytes, uint64_t total_bytes)>;

struct QuantizeOptions {
  std::filesystem::path input;
  std::filesystem::path output;
  PlanOptions plan;
  std::optional<Precision> precision;  // nullopt: keep for a quantised source, int8 for a full-precision one
  std::vector<std::pair<NamePattern, Precision>> rules;
  int threads = 1;
  uint64_t max_ram_bytes = 0;  // limit on anonymous memory; 0: the largest tensor as fp32 + 64 MiB
  bool allow_requantize = false;
  bool force = false;                          // make it even if it is up to date; also replace a file that is no pack
  bool verify = false;                         // compare with full precision; implied by an automatic precision
  std::vector<std::string> verify_texts;       // empty: the built-in ones
  AutoTarget auto_target = AutoTarget::size;   // for an automatic precision
  std::vector<std::string> calibration_texts;  // empty: the built-in ones
  Backend verify_backend;                      // runs the full-precision model in verification
  bool measure_error = false;                  // fills QuantizeResult::errors
  QuantizeProgress progress;
};

struct QuantizeResult {
  bool up_to_date = false;
  std::string reason;          // why it was made ("new", "the source changed"), or why not
  bool source_hashed = false;  // the source was read for its SHA-256; false: the stamp had it
  uint64_t pack_bytes = 0;
  std::string identity;
  std::vector<TensorError> errors;  // of the pack, old or new: one for each job of the plan; empty if not measured
  std::optional<Verification> verification;
  /// Set if an automatic precision made a choice in this run. Borrows from the Quantizer's checkpoint.
  std::optional<Selection> selection;
  uint64_t peak_anon_bytes = 0;           // the maximum of samples taken between stages and blocks
  std::map<std::string, double> seconds;  // by stage
};

class Quantizer {
 public:
  /// Reads headers and configuration, and plans. Does not touch the output. Errors about the checkpoint name it.
  /// Throws Error(usage | bad_input | corrupt_file | missing | io).
  explicit Quantizer(QuantizeOptions options);
  ~Quantizer();

  const Checkpoint& checkpoint() const { return *checkpoint_; }
  const ModelPlan& model() const { return model_; }
  const Recipe& recipe() const { return recipe_; }
  const TensorPlan& tensors() const { return tensors_; }
  uint64_t source_bytes() const;
  /// Bytes of the tensors in the pack, without the tokenizer and the table of contents.
  uint64_t tensor_bytes() const;
  uint64_t max_ram_bytes() const;
  /// The peak of anonymous memory that run() is expected to reach: its buffers by the plan, on top of the process's
  /// present memory.
  uint64_t predicted_peak_bytes() const;

  /// Makes the pack, unless it is up to date. Publishes nothing on any error. Links to the output stay links. If the
  /// output is a device, a FIFO or a descriptor, the pack is always made, and copied there when it is complete.
  /// Throws Error(over_budget) if max_ram is too small, Error(verify_failed) with the figures, Error(io), and
  /// Error(bad_input) if another process is making the same pack.
  QuantizeResult run();

 private:
  class Run;
  std::string make_tokenizer_blob() const;
  QuantizeResult run_beside_output();
  QuantizeResult run_into(const OutputFile& stream);
  QuantizeOptions options_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::vector<SourceFile> sources_;
  ModelPlan model_;
  Recipe recipe_;
  TensorPlan tensors_;
};

/// The hidden file beside `output` that is both the lock and the stamp (model/quant/source_hash.h) of its pack.
std::filesystem::path lock_path(const std::filesystem::path& output);

}  // namespace frugal
