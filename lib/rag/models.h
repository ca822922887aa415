// The models a question may need, opened when they are first asked for and not before: a stage that is off loads
// nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "generate/generator.h"
#include "memory/pager.h"
#include "nn/embedder.h"
#include "ops/plugin.h"

namespace frugal {

class Models {
 public:
  virtual ~Models() = default;
  /// Throws Error(missing) with the command that makes the pack, Error(mismatch) if it holds another kind of model.
  virtual Embedder& embedder() = 0;
  virtual Generator& generator() = 0;
  /// Number of weights of the generator, read from its pack's table of contents; 0 if there is no generator.
  virtual int64_t generator_parameters() = 0;
  /// Changes whenever an answer might because a model did; opens nothing.
  virtual std::string identity() = 0;
};

/// Where packs are. Called at most once, when the model is needed (or its identity); may throw Error(missing).
struct ModelPaths {
  std::function<std::filesystem::path()> embedder;
  std::function<std::filesystem::path()> generator;
};

/// How the generator holds what it reads, and where it keeps it for the next process (generate/prefix_cache.h).
struct GeneratorMemory {
  KvType kv_type = KvType::f32;
  std::filesystem::path prefix_folder;  // empty: nowhere
  uint64_t prefix_max_bytes = 0;
};

/// Models from packs. `threads` counts the caller. Borrows `budget` (may be null). `paging`: of packs under a limited
/// budget, on the native backend.
std::unique_ptr<Models> open_pack_models(ModelPaths paths, const Backend& backend, int threads, Budget* budget,
                                         const GeneratorMemory& memory = {}, const PagerOptions& paging = {});

/// Checkpoints to be read in full precision, and the packs that were made of them. No generator: empty.
struct NaivePaths {
  std::filesystem::path embedder, embedder_pack;
  std::filesystem::path generator, generator_pack;
};

/// Every model read whole from its checkpoint now, whatever will be asked: what bench-latency compares with. Answers on
/// the index of the embedder's pack; that the pack was made of this checkpoint is taken on trust.
std::unique_ptr<Models> open_naive_models(const NaivePaths& paths, const Backend& backend, int threads, Budget* budget);

}  // namespace frugal
