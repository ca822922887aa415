// Estimates a model's memory before it is loaded: runs the runtime's own steps on a backend that counts and computes
// nothing (counting_ops.h). Reads the pack's header, configuration and tokenizer, and no tensor.
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

/// The layout of the forward pass that needs the most working memory.
struct ActivationLayout {
  uint64_t arena_bytes = 0;    // laid out by the arena's scopes
  uint64_t planned_bytes = 0;  // laid out by a plan of lifetimes (measure/profile/lifetime_plan.h)
  uint64_t least_bytes = 0;    // live at once: no layout needs less
};

/// The estimate of one stage, comparable with memory_usage_peak and model_mapped_bytes after add_runtime() has added
/// the memory of a process without a model.
struct MemoryEstimate {
  void add_runtime(uint64_t anon_bytes);

  uint64_t peak_anon_bytes = 0;  // runtime + models + working memory
  /// Pages of this model's pack mapped so far, if they are in the page cache; on a cold disk they come later.
  uint64_t mapped_bytes = 0;
  // The parts of peak_anon_bytes.
  uint64_t runtime_bytes = 0;  // anonymous memory of the process before its first stage
  uint64_t model_bytes = 0;    // objects of all loaded models: tokenizer, handles, their graph
  WorkingMemory working;
  ActivationLayout activations;  // this run's model
};

/// Follows the stages of a pipeline in their order. Not thread-safe.
class MemoryEstimator {
 public:
  /// For models that run on `threads` threads.
  explicit MemoryEstimator(int threads) : threads_(threads) {}

  /// Throws what loading throws; Error(usage) for LoadMode::naive, whose tensors would have to be read, and for
  /// LoadMode::stream.
  MemoryEstimate load(const std::string& name, const std::filesystem::path& pack, LoadMode mode = LoadMode::mmap);
  /// `chat_family`: as in LoadedModel::run.
  MemoryEstimate run(const std::string& name, std::string_view text, int64_t max_new_tokens,
                     std::optional<ChatFamily> chat_family = {});
  void unload(const std::string& name);

 private:
  struct Rehearsal {
    std::unique_ptr<LoadedModel> model;
    CountingOps* ops = nullptr;  // model's
    uint64_t object_bytes = 0;   // heap memory of its objects
    LoadMode mode = LoadMode::mmap;
    uint64_t header_bytes = 0;  // pages of the pack mapped by opening it and its tokenizer
    WorkingMemory kept;         // kept from earlier runs
  };
  MemoryEstimate sum() const;
  uint64_t mapped_bytes(const Rehearsal& rehearsal) const;

  int threads_;
  std::map<std::string, Rehearsal> loaded_;
};

}  // namespace frugal
