// One model opened and ready to run, of any architecture: the unit that mem-profile loads and unloads and bench-latency
// times. Destruction releases all of its memory. Not a cache of models: model/hub/models.h shares models between users.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/thread_pool.h"
#include "compute/ops/plugin.h"
#include "memory/budget.h"
#include "model/format/pack.h"
#include "model/hub/load_mode.h"
#include "model/nn/decoder.h"
#include "model/nn/embedder.h"
#include "model/nn/model.h"
#include "model/nn/model_source.h"
#include "model/tokenize/chat.h"

namespace frugal {

class LoadedModel {
 public:
  /// Borrows `threads` and `budget`. `mode` must not be naive. `paging` applies to mode stream, and to mmap under a
  /// limited budget. Throws Error(missing | corrupt_file | mismatch | over_budget).
  LoadedModel(const std::filesystem::path& pack, ThreadPool& threads, Budget& budget, const Backend& backend = {},
              LoadMode mode = LoadMode::mmap, const PagerOptions& paging = {});
  /// The same, on a backend that the caller made.
  LoadedModel(const std::filesystem::path& pack, std::unique_ptr<Ops> ops, Budget& budget,
              LoadMode mode = LoadMode::mmap, const PagerOptions& paging = {});
  /// A checkpoint in full precision (LoadMode::naive).
  LoadedModel(std::unique_ptr<ModelSource> checkpoint, std::unique_ptr<Ops> ops, Budget& budget);
  LoadedModel(const LoadedModel&) = delete;
  LoadedModel& operator=(const LoadedModel&) = delete;
  /// Also returns free heap pages to the system, which the allocator would otherwise keep.
  ~LoadedModel();

  /// The pack. Throws Error(internal) if the model was opened from a checkpoint.
  const Pack& pack() const;
  /// A warning for the user, if the kernel refused to lock the pack in memory; otherwise empty.
  const std::string& load_note() const { return load_note_; }
  /// The plugin backend that the model runs on; null for the native backend.
  PluginOps* device() const;
  /// The model as `Interface` if it is of that kind, else null.
  template <class Interface>
  Interface* find() const {
    return dynamic_cast<Interface*>(model_.get());
  }
  /// Throw Error(mismatch) if the model is of another kind.
  Embedder& embedder() const { return require<Embedder>(); }
  Decoder& decoder() const { return require<Decoder>(); }

  /// Uses the model once: embeds `text`, reads it as its own passage, answers, rewrites it or asks it of an image in at
  /// most `max_new_tokens` tokens, where `chat_family` overrides the pack's own. Returns a note for the report,
  /// "embedded 12 tokens". Then returns free heap pages to the system, so that a measurement counts only memory in use.
  std::string run(std::string_view text, int64_t max_new_tokens, std::optional<ChatFamily> chat_family = {});

 private:
  template <class Interface>
  Interface& require() const {
    if (Interface* model = find<Interface>()) return *model;
    throw wrong_kind(Interface::kKind.noun);
  }
  Error wrong_kind(std::string_view noun) const;
  const std::filesystem::path& path() const;

  std::optional<Pack> pack_;
  std::unique_ptr<ModelSource> checkpoint_;
  std::string load_note_;
  Budget& budget_;
  Reservation weights_;  // the copy of the pack in mode read, which nothing else reserves
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Model> model_;
};

}  // namespace frugal
