// The models a question may need, loaded when they are first asked for and not before: a stage that is off loads
// nothing, and one that is over lets go.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/setting.h"
#include "compute/ops/plugin.h"
#include "memory/budget.h"
#include "memory/manager.h"
#include "memory/pager.h"
#include "model/generate/generator.h"
#include "model/nn/embedder.h"
#include "model/nn/kv_cache.h"
#include "model/tokenize/chat.h"

namespace frugal {

class Models {
 public:
  virtual ~Models() = default;
  /// Loaded while the pointer lives, and perhaps longer. Throws Error(missing) with the command that makes the pack,
  /// Error(mismatch) if it holds another kind of model.
  virtual std::shared_ptr<Embedder> embedder() = 0;
  virtual std::shared_ptr<Generator> generator() = 0;
  /// Says that the embedder will be asked for soon, so that its file is read meanwhile.
  virtual void expect_embedder() {}
  /// Number of weights of the generator, read from its pack's table of contents; 0 if there is no generator.
  virtual int64_t generator_parameters() = 0;
  /// Changes whenever an answer might because a model did; opens nothing.
  virtual std::string identity() = 0;
  /// Between questions: gives up what nobody uses where memory is short.
  virtual void tidy() {}
  /// Who loads them; null: nobody, they are always there.
  virtual const Manager* manager() const { return nullptr; }
};

/// Where packs are. Called at most once, when the model is needed (or its identity); may throw Error(missing).
struct ModelPaths {
  std::function<std::filesystem::path()> embedder;
  std::function<std::filesystem::path()> generator;
};

/// How the generator holds what it reads, and where it keeps it for the next process (model/generate/prefix_cache.h).
struct GeneratorMemory {
  KvType kv_type = KvType::automatic;
  bool prefix_cache = true;
  uint64_t prefix_max_bytes = uint64_t(1) << 30;
  std::filesystem::path prefix_folder;  // empty: nowhere

  template <typename F>
  void visit(F&& f) {
    f("generate.kv_dtype", kv_type,
      {"element type of the KV cache: auto (f16 if the backend has it, else f32), f32, f16, int8"});
    f("generate.prefix_cache.enabled", prefix_cache,
      {"keep the KV cache of prompts on disk, so that a known beginning of a prompt is not processed again"});
    f("generate.prefix_cache.max_bytes", prefix_max_bytes,
      {"maximum bytes on disk, also written like 1GiB; the least recently used entries are evicted", {}, Unit::bytes});
  }
};

struct ModelOptions {
  explicit ModelOptions(Budget& models_budget) : budget(models_budget) {}

  Backend backend;
  int threads = 1;  // with the caller
  Budget& budget;   // borrowed
  Manager::Mode mode = Manager::Mode::aggressive;
  PagerOptions paging;  // of weights that do not fit
  GeneratorMemory generator;
  std::optional<ChatFamily> chat_family;  // of the generator; nullopt: what its pack names
};

/// Models from packs.
std::unique_ptr<Models> open_pack_models(ModelPaths paths, const ModelOptions& options);

/// Checkpoints to be read in full precision, and the packs that were made of them. No generator: empty.
struct NaivePaths {
  std::filesystem::path embedder, embedder_pack;
  std::filesystem::path generator, generator_pack;
};

/// Every model read whole from its checkpoint now, whatever will be asked: what bench-latency compares with. Answers on
/// the index of the embedder's pack; that the pack was made of this checkpoint is taken on trust. `chat_family`: as in
/// ModelOptions.
std::unique_ptr<Models> open_naive_models(const NaivePaths& paths, const Backend& backend, int threads, Budget& budget,
                                          std::optional<ChatFamily> chat_family = {});

}  // namespace frugal
