// The models that questions need, loaded on first use and unloaded after the last: a stage that is switched off loads
// no model. memory/manager.h decides how long a model stays; this interface hides where models come from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/setting.h"
#include "compute/ops/plugin.h"
#include "memory/budget.h"
#include "memory/manager.h"
#include "memory/pager.h"
#include "model/generate/generator.h"
#include "model/nn/embedder.h"
#include "model/nn/image_embedder.h"
#include "model/nn/kv_cache.h"
#include "model/nn/reader.h"
#include "model/tokenize/chat.h"

namespace frugal {

/// Whether a generator has a number of weights, as far as its pack tells.
enum class GeneratorSize {
  none,        // there is no pack
  unreadable,  // the pack is damaged, or is none
  small,       // it has fewer
  sufficient
};

/// A model as the settings name it, opened when its turn comes.
template <class Model>
struct NamedModel {
  std::string name;  // empty: it is the only one
  /// Null at the end of a list: what works without a model takes its place, a quote or the order of the search.
  std::function<std::shared_ptr<Model>()> open;
};

class Models {
 public:
  virtual ~Models() = default;
  /// The model, which stays loaded at least while the pointer lives. Throws Error(missing), whose hint names the
  /// command that makes the pack, Error(mismatch) if the pack holds another kind of model, and Error(over_budget).
  virtual std::shared_ptr<Embedder> embedder() = 0;
  virtual std::shared_ptr<Generator> generator() = 0;
  /// The generators that the settings name, in the order in which they are tried: where one throws Error(remote), the
  /// next takes its place. generator() is the first.
  virtual std::vector<NamedModel<Generator>> generators();
  /// The embedder of images, if one is configured. Throws as the others, and Error(missing) if none is.
  virtual std::shared_ptr<ImageEmbedder> image_embedder();
  /// Only if has_reader().
  virtual std::shared_ptr<Reader> reader() = 0;
  /// As generators(), of the reader; only if has_reader().
  virtual std::vector<NamedModel<Reader>> readers();
  /// The name of an embedder without which a question may be searched, by words alone, where it throws Error(remote);
  /// empty: it may not.
  virtual std::string dispensable_embedder() const { return {}; }
  /// True if a reader is configured. Opens no pack.
  virtual bool has_reader() const = 0;
  /// Starts to read the embedder's file in the background, because the embedder will be needed soon.
  virtual void prefetch_embedder() {}
  /// Compares the generator's number of weights with a minimum. Loads no model, and opens no pack whose size shows that
  /// it has fewer weights.
  virtual GeneratorSize generator_size(int64_t min_parameters) = 0;
  /// Part of the key of cached answers: changes with the models, their settings and the backend. Loads no model.
  virtual std::string identity() = 0;
  /// The same for several machines: models by their contents instead of their files. Opens packs, loads none.
  virtual std::string content_identity() { return identity(); }
  /// Unloads unused models if memory is short. To be called between questions.
  virtual void unload_idle() {}
  /// Returns to the system what the loaded models keep from one forward pass for the next. To be called between
  /// questions.
  virtual void release_working_memory() {}
  /// The manager of the models; null if all models stay loaded.
  virtual const Manager* manager() const { return nullptr; }
};

/// The paths of the packs. Each function is called when its model or identity() is needed, and may throw
/// Error(missing).
struct ModelPaths {
  std::function<std::filesystem::path()> embedder;
  std::function<std::filesystem::path()> generator;
  std::function<std::filesystem::path()> reader = {};          // null: none is configured
  std::function<std::filesystem::path()> image_embedder = {};  // null: none is configured
};

/// Settings of the generator's KV cache, and of the prompts that it stores on disk (model/generate/prefix_cache.h).
struct GeneratorMemory {
  KvType kv_type = KvType::automatic;
  bool prefix_cache = true;
  /// Four prompts of 2,600 tokens of SmolLM2-135M (docs/design/0016).
  uint64_t prefix_max_bytes = uint64_t(256) << 20;
  std::filesystem::path prefix_folder;  // empty: nothing is stored

  template <typename F>
  void visit(F&& f) {
    f("generate.kv_dtype", kv_type, {"type of the KV cache: auto (f16 if the backend has it), f32, f16, int8"});
    f("generate.prefix_cache.enabled", prefix_cache,
      {"keep the KV cache of prompts on disk, so that a known beginning of a prompt is not processed again"});
    f("generate.prefix_cache.max_bytes", prefix_max_bytes,
      {"maximum bytes on disk, also written like 256MiB; the least recently used entries are evicted",
       {},
       Unit::bytes});
  }
};

struct ModelOptions {
  explicit ModelOptions(Budget& models_budget) : budget(models_budget) {}

  Backend backend;
  int threads = 1;  // including the caller's
  Budget& budget;   // borrowed
  Manager::Mode mode = Manager::Mode::aggressive;
  PagerOptions paging;  // for weights that do not fit the budget
  GeneratorMemory generator;
  std::optional<ChatFamily> chat_family;  // of the generator; nullopt: the one that its pack names
};

/// Models from packs, each loaded on first use by a Manager.
std::unique_ptr<Models> open_pack_models(ModelPaths paths, const ModelOptions& options);

/// Checkpoints to be read in full precision, and the packs that were made from them. Empty paths: no generator.
struct NaivePaths {
  std::filesystem::path embedder, embedder_pack;
  std::filesystem::path generator, generator_pack;
};

/// The baseline of bench-latency: reads every model from its checkpoint at once, needed or not. Works on the index of
/// the embedder's pack, and does not check that the pack was made from this checkpoint. `chat_family`: as in
/// ModelOptions.
std::unique_ptr<Models> open_naive_models(const NaivePaths& paths, const Backend& backend, int threads, Budget& budget,
                                          std::optional<ChatFamily> chat_family = {});

}  // namespace frugal
