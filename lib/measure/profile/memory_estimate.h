// What a model will take before it is loaded: the runtime's own steps, on a backend that counts and computes nothing
// (counting_ops.h). Of the pack, header, configuration and tokenizer are read; no tensor is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "measure/profile/counting_ops.h"
#include "model/hub/loaded_model.h"

namespace frugal {

/// Of the forward pass that takes most working memory.
struct ActivationLayout {
  uint64_t arena_bytes = 0;    // as scopes lay its tensors out
  uint64_t planned_bytes = 0;  // as a plan of their lifetimes would (measure/profile/lifetime_plan.h)
  uint64_t least_bytes = 0;    // that live at once: no layout takes less
};

/// One stage. Bytes as memory_usage_peak and model_mapped_bytes measure them, once add_runtime() was told what the
/// process holds without a model.
struct MemoryEstimate {
  void add_runtime(uint64_t anon_bytes);

  uint64_t peak_anon_bytes = 0;  // runtime + models + working memory
  /// Pages of this model's pack mapped by then, if they are in the page cache: what a cold disk brings later.
  uint64_t mapped_bytes = 0;
  // The parts of peak_anon_bytes.
  uint64_t runtime_bytes = 0;  // anonymous memory of the process before the first stage
  uint64_t model_bytes = 0;    // objects of all loaded models: tokenizer, handles, their graph
  WorkingMemory working;
  ActivationLayout activations;  // of this run's model
};

/// Follows the stages of a pipeline in their order. Not thread-safe.
class MemoryEstimator {
 public:
  /// For models that run on `threads` threads.
  explicit MemoryEstimator(int threads) : threads_(threads) {}

  /// Throws what loading throws; Error(usage) for LoadMode::naive, whose tensors would have to be read, and stream.
  MemoryEstimate load(const std::string& name, const std::filesystem::path& pack, LoadMode mode = LoadMode::mmap);
  /// `chat_family`: as LoadedModel::run has it.
  MemoryEstimate run(const std::string& name, std::string_view text, int64_t max_new_tokens,
                     std::optional<ChatFamily> chat_family = {});
  void unload(const std::string& name);

 private:
  struct Rehearsal {
    std::unique_ptr<LoadedModel> model;
    CountingOps* ops = nullptr;  // model's
    uint64_t object_bytes = 0;   // of the heap
    LoadMode mode = LoadMode::mmap;
    uint64_t header_bytes = 0;  // of the pack, mapped by opening it and its tokenizer
    WorkingMemory kept;         // of earlier runs
  };
  MemoryEstimate sum() const;
  uint64_t mapped_bytes(const Rehearsal& rehearsal) const;

  int threads_;
  std::map<std::string, Rehearsal> loaded_;
};

}  // namespace frugal
