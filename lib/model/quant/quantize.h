// From a published checkpoint to a pack: plan, stream, verify, publish. Idempotent, atomic, and bounded in memory.
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

#include "model/format/checkpoint.h"
#include "model/quant/recipe.h"
#include "model/quant/selector.h"
#include "model/quant/source_hash.h"
#include "model/quant/tensor_plan.h"
#include "model/quant/tensor_writer.h"
#include "model/quant/verify.h"

namespace frugal {

/// Called now and then with the stage ("quantising", "writing fp32 to verify against") and how many of its bytes are
/// done.
using QuantizeProgress = std::function<void(std::string_view stage, uint64_t done_bytes, uint64_t total_bytes)>;

struct QuantizeOptions {
  std::filesystem::path input;
  std::filesystem::path output;
  std::optional<Precision> precision;  // default: keep for a quantised source, int8 for a full-precision one
  std::vector<std::pair<NamePattern, Precision>> rules;
  int threads = 1;
  uint64_t max_ram_bytes = 0;  // 0: the largest tensor as fp32 + 64 MiB
  bool allow_requantize = false;
  bool force = false;                          // make it even if it is up to date; replace a file that is no pack
  bool verify = false;                         // implied by an automatic precision
  std::vector<std::string> verify_texts;       // empty: the built-in ones
  AutoTarget auto_target = AutoTarget::size;   // of an automatic precision
  std::vector<std::string> calibration_texts;  // empty: the built-in ones
  Backend verify_backend;                      // of the full precision that the pack is held against
  bool measure_error = false;                  // fills QuantizeResult::errors
  QuantizeProgress progress;
};

struct QuantizeResult {
  bool up_to_date = false;
  std::string reason;  // why it was made: "new", "the source changed", "the old pack is corrupt: …"; or why it was not
  bool source_hashed = false;  // the source was read for its SHA-256, not known from the stamp
  uint64_t pack_bytes = 0;
  std::string identity;
  std::vector<TensorError> errors;  // as the plan's jobs
  std::optional<Verification> verification;
  /// Where an automatic precision made a choice. Its sources are the Quantizer's checkpoint's.
  std::optional<Selection> selection;
  uint64_t peak_anon_bytes = 0;           // highest reading between the stages and blocks of the work
  std::map<std::string, double> seconds;  // by stage
};

class Quantizer {
 public:
  /// Reads headers and configuration and plans; touches no output.
  /// Throws Error(usage | bad_input | corrupt_file | missing | io).
  explicit Quantizer(QuantizeOptions options);
  ~Quantizer();

  const Checkpoint& checkpoint() const { return *checkpoint_; }
  const ModelPlan& model() const { return model_; }
  const Recipe& recipe() const { return recipe_; }
  const TensorPlan& tensors() const { return tensors_; }
  uint64_t source_bytes() const;
  /// Size of the tensors in the pack; the tokenizer and the table come on top.
  uint64_t tensor_bytes() const;
  uint64_t max_ram_bytes() const;
  /// Anonymous memory that run() is expected to reach, from the plan and what the process holds now.
  uint64_t predicted_peak_bytes() const;

  /// Makes the pack, or finds that it is there already. Nothing is published on any error.
  /// Throws Error(over_budget) if max_ram does not suffice, Error(verify_failed) with the figures, Error(io), and
  /// Error(bad_input) if another process is making the same pack.
  QuantizeResult run();

 private:
  class Run;
  QuantizeOptions options_;
  std::unique_ptr<Checkpoint> checkpoint_;
  ModelPlan model_;
  Recipe recipe_;
  TensorPlan tensors_;
};

/// Lock and stamp of a pack that is made at `output`: a hidden file beside it.
std::filesystem::path lock_path(const std::filesystem::path& output);

}  // namespace frugal
