// A pack opened and ready to run, whatever its architecture: what mem-profile loads and unloads and bench-latency
// times. Not the toolkit's model hub: it owns one model, and gives everything back when it dies.
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
  /// Borrows `threads` and `budget` (may be null). `mode` is not naive, and stream needs a budget. `paging`: of a pack
  /// that is mapped under a limited budget. Throws Error(missing, corrupt_file, mismatch, over_budget).
  LoadedModel(const std::filesystem::path& pack, ThreadPool& threads, Budget& budget, const Backend& backend = {},
              LoadMode mode = LoadMode::mmap, const PagerOptions& paging = {});
  /// The same on a backend of the caller's.
  LoadedModel(const std::filesystem::path& pack, std::unique_ptr<Ops> ops, Budget& budget,
              LoadMode mode = LoadMode::mmap, const PagerOptions& paging = {});
  /// Full precision from a checkpoint (LoadMode::naive).
  LoadedModel(std::unique_ptr<ModelSource> checkpoint, std::unique_ptr<Ops> ops, Budget& budget);
  LoadedModel(const LoadedModel&) = delete;
  LoadedModel& operator=(const LoadedModel&) = delete;
  /// Also hands freed heap pages back to the system, which the allocator would keep.
  ~LoadedModel();

  /// Throws Error(internal) for a checkpoint's.
  const Pack& pack() const;
  /// What did not go as asked: a lock that was refused. Empty: nothing.
  const std::string& load_note() const { return load_note_; }
  /// The plugin's backend that it runs on; null for the native one.
  PluginOps* device() const;
  /// Its interface if it is of that kind, else null.
  template <class Interface>
  Interface* find() const {
    return dynamic_cast<Interface*>(model_.get());
  }
  /// Throw Error(mismatch) where the model is of another kind.
  Embedder& embedder() const { return require<Embedder>(); }
  Decoder& decoder() const { return require<Decoder>(); }

  /// One use: embeds `text`, or answers it with at most `max_new_tokens`; `chat_family` overrides what the pack names.
  /// Says what it did: "embedded 12 tokens".
  /// Hands freed heap pages back too, so that what is there afterwards is held by something.
  std::string run(std::string_view text, int64_t max_new_tokens, std::optional<ChatFamily> chat_family = {});

 private:
  template <class Interface>
  Interface& require() const {
    if (Interface* model = find<Interface>()) return *model;
    throw wrong_kind(Interface::kKind.noun);
  }
  Error wrong_kind(std::string_view noun) const;

  std::optional<Pack> pack_;
  std::unique_ptr<ModelSource> checkpoint_;
  std::string load_note_;
  Budget& budget_;
  Reservation weights_;  // of a pack that was read, which the arena and the cache know nothing of
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Model> model_;
};

}  // namespace frugal
